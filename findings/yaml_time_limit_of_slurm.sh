#!/bin/bash
# PyYAML 6.0.3, simple_slurm 0.3.6, SLURM 22.05.8 (Debian 12): a time limit that is written without quotes in a YAML file reaches
# sbatch as another one, up to 60 times as long, depending on its first digit.
#
# Good guess: hours:minutes:seconds is a string in YAML, or refused; if it is read as a number, at least all of them are.
# Seen, `time: ...` in YAML, the option that simple_slurm writes, the limit that sbatch understands:
#   10:00:00   36000      25-00:00:00     25 days for 10 hours
#   02:00:00   02:00:00   02:00:00        right: a leading 0 makes it a string
#   2:00:00    7200       5-00:00:00
#   1:30       90         01:30:00        an hour and a half for a minute and a half (which sbatch makes 00:02:00)
#   1-00:00:00 1-00:00:00 1-00:00:00      right
# YAML 1.1 reads digits with colons as a number to the base 60, that is seconds; sbatch takes a plain number for minutes. Each
# does as documented. ruamel.yaml 0.19.1, a YAML 1.2 reader, gives the string each time, so two tools on one file differ.
# A limit above the partition's leaves a job pending (PartitionTimeLimit); one below it costs the place in the queue. Quote it.
#
# Exits 0 when the four still behave so, 1 when not. Needs apt-get download.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install PyYAML==6.0.3 ruamel.yaml==0.19.1 simple-slurm==0.3.6 \
    2>"$folder/pip.log" || { cat "$folder/pip.log" && exit 1; }
cd "$folder"
apt-get -q download slurm-client=22.05.8-4+deb12u3 slurm-wlm-basic-plugins=22.05.8-4+deb12u3 >apt.log 2>&1 || { cat apt.log && exit 1; }
for package in *.deb; do
    dpkg -x "$package" slurm
done
library=$folder/slurm/usr/lib/x86_64-linux-gnu/slurm-wlm
cat >slurm.conf <<END_CONF
ClusterName=none
SlurmctldHost=localhost
AuthType=auth/none
PluginDir=$library
NodeName=localhost
PartitionName=all Nodes=localhost
END_CONF

# option TEXT: the time option that simple_slurm makes of `time: TEXT`; then what ruamel.yaml reads
option() {
    venv/bin/python - "$1" <<'END_PYTHON'
import sys

import ruamel.yaml
import yaml
from simple_slurm import Slurm

text = "time: " + sys.argv[1]
lines = str(Slurm(**yaml.safe_load(text))).splitlines()
print(*[line.split()[-1] for line in lines if "--time" in line], ruamel.yaml.YAML(typ="safe").load(text)["time"])
END_PYTHON
}

# limit OPTION: what sbatch takes it for; it lists its options before it looks for a cluster
limit() {
    printf '#!/bin/sh\n#SBATCH --time=%s\n' "$1" >job.sh
    LD_LIBRARY_PATH=$library SLURM_CONF=$folder/slurm.conf timeout 5 slurm/usr/bin/sbatch -vv --test-only job.sh 2>&1 |
        sed -n 's/^sbatch: time *: //p'
}

for text in 10:00:00 02:00:00 2:00:00 1:30 1-00:00:00; do
    read -r written string < <(option "$text")
    echo "$text: $written $(limit "$written"); by ruamel.yaml: $string $(limit "$string")"
done | tee seen
diff seen - <<'END_SEEN'
10:00:00: 36000 25-00:00:00; by ruamel.yaml: 10:00:00 10:00:00
02:00:00: 02:00:00 02:00:00; by ruamel.yaml: 02:00:00 02:00:00
2:00:00: 7200 5-00:00:00; by ruamel.yaml: 2:00:00 02:00:00
1:30: 90 01:30:00; by ruamel.yaml: 1:30 00:02:00
1-00:00:00: 1-00:00:00 1-00:00:00; by ruamel.yaml: 1-00:00:00 1-00:00:00
END_SEEN
echo "as recorded"
