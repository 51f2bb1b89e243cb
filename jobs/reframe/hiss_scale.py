# Scaling studies of hiss as tests of ReFrame 4: each runs `hiss scale`, is correct when the report calls it VALID (all runs of
# a config end with the same bits), and reports images per second, step and efficiency of each point.
#
#   reframe -c jobs/reframe/hiss_scale.py -r                                    on this machine
#   reframe -c jobs/reframe/hiss_scale.py -r -S ranks=1,2,4,8 -S repeats=5      more points
#   reframe -C SITE.py -c jobs/reframe/hiss_scale.py -r -S nodes=4 -S modules=OpenMPI,HDF5    where SITE.py names partitions
#
# Reference values are those of a system: -S reference=..., or a class of your own that inherits from HissScale.
import csv
import os

import reframe as rfm
import reframe.core.builtins as builtins
import reframe.utility.sanity as sn
from reframe.core.backends import getlauncher

# The source directory, or, of a file that is installed, where reframe is started.
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HISS = os.path.join(ROOT, 'build', 'hiss')
if not os.path.exists(HISS):
    ROOT, HISS = os.getcwd(), 'hiss'


class HissScale(rfm.RunOnlyRegressionTest):
    hiss = builtins.variable(str, value=HISS)
    root = builtins.variable(str, value=ROOT)     # paths in studies and configs are from here
    study = builtins.variable(str)
    ranks = builtins.variable(str, value='1,2')   # points
    threads = builtins.variable(int, value=1)     # of each rank
    nodes = builtins.variable(int, value=1)       # of the job, which all points run in
    repeats = builtins.variable(int, value=3)     # runs of each point
    options = builtins.variable(str, value='')    # more words of hiss scale run: --set steps=1000
    valid_systems = ['*']
    valid_prog_environs = ['*']
    sourcesdir = None
    time_limit = '1h'

    @builtins.run_after('init')
    def set_command(self):
        self.descr = f'{self.kind} scaling of hiss'
        self.tags = {'hiss', 'scaling'}

    @builtins.run_before('run')
    def set_job(self):
        # hiss itself starts the ranks of each point by mpirun, not the launcher of the site.
        self.job.launcher = getlauncher('local')()
        most = max(int(n) for n in self.ranks.split(','))
        self.num_tasks = most
        self.num_tasks_per_node = -(-most // self.nodes)
        self.num_cpus_per_task = self.threads
        out = os.path.join(self.stagedir, 'study')
        self.prerun_cmds = [f'cd "{self.root}"']
        self.executable = self.hiss
        self.executable_opts = ['scale', 'run', self.study, '--out', f'"{out}"',
                                '--set', f"'ranks=[{self.ranks}]'", '--set', f'threads={self.threads}',
                                '--set', f'repeats={self.repeats}']
        if self.nodes > 1:
            self.executable_opts += ['--set', f'ranks_per_node={self.num_tasks_per_node}']
        if self.options:
            self.executable_opts.append(self.options)
        self.postrun_cmds = [f'"{self.hiss}" scale report "{out}"']
        self.keep_files = [f'study/{name}' for name in ('report.html', 'report.txt', 'scaling.csv', 'scaling.json')]

    @builtins.deferrable
    def rows(self):
        with open(os.path.join(self.stagedir, 'study', 'scaling.csv')) as f:
            return list(csv.DictReader(f))

    @builtins.sanity_function
    def is_valid(self):
        return sn.all([sn.assert_found(r'^VALID: ', self.stdout), sn.assert_not_found(r'^(INVALID|INCOMPLETE)', self.stdout),
                       sn.assert_eq(sn.len(self.rows()), len(self.ranks.split(',')))])

    @builtins.run_before('performance')
    def set_figures(self):
        columns = {'images_per_second': 'images/s', 'step_seconds': 's', 'efficiency': '1'}
        self.perf_variables = {
            f"{column} of {row['point']}": sn.make_performance_function(sn.defer(float(row[column])), unit)
            for row in self.rows().evaluate() for column, unit in columns.items()}


@rfm.simple_test
class HissScaleStrong(HissScale):
    kind = 'strong'
    study = 'configs/scale-strong.yaml'


@rfm.simple_test
class HissScaleWeak(HissScale):
    kind = 'weak'
    study = 'configs/scale-weak.yaml'
