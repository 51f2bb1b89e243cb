import itertools

import numpy as np
from oracle_cases.parts.method import H
from oracle_cases.parts.optimizers import ADAM, SGD
from oracle_cases.parts.pretext import Draws, Pretext

ORDERS, CELL, SEED_OF_ORDERS = 6, 9, 1


def far_apart(count):
    """Permutations of 9, each as far as can be from the nearest one before it; among equals the largest sum of distances."""
    everything = np.array(list(itertools.permutations(range(9))))
    chosen, distances = [Draws(2, 0, 0, seed=SEED_OF_ORDERS).below(len(everything))], []
    while len(chosen) < count:
        distances.append((everything != everything[chosen[-1]]).sum(1))
        nearest = np.min(distances, axis=0)
        chosen.append(int(np.argmax(nearest * 10000 + np.sum(distances, axis=0))))
    return everything[chosen]


class Jigsaw(Pretext):
    name, side = "jigsaw", 8
    cases = [(ADAM, "blas"), (SGD, "ref")]
    config = f"jigsaw: {{canvas: 0, tile: {side}, cell: {CELL}, permutations: {ORDERS}, code: 5, hidden: 11}}\n"
    orders = None

    def corners(self, draws):
        Jigsaw.orders = far_apart(ORDERS) if Jigsaw.orders is None else Jigsaw.orders
        answer = draws.below(ORDERS)
        top, left = draws.below(H - 3 * CELL + 1), draws.below(H - 3 * CELL + 1)
        cells = [[corner + side + draws.below(CELL - self.side + 1) for corner, side in ((top, k // 3 * CELL), (left, k % 3 * CELL))]
                 for k in range(9)]
        return answer, [cells[k] for k in Jigsaw.orders[answer]]


METHODS = [Jigsaw]
