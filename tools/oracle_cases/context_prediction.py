from oracle_cases.parts.method import H
from oracle_cases.parts.optimizers import ADAM, SGD
from oracle_cases.parts.pretext import Pretext

GAP, JITTER = 1, 1


class ContextPrediction(Pretext):
    name, side = "context_prediction", 10
    cases = [(ADAM, "blas"), (SGD, "ref")]
    config = f"context_prediction: {{canvas: 0, patch: {side}, gap: {GAP}, jitter: {JITTER}, code: 9, hidden: 11}}\n"

    def axis(self, draws, step):
        away = step * (self.side + GAP)
        first = JITTER + max(-away, 0) + draws.below(H - self.side - abs(away) - 2 * JITTER + 1)
        return [place + draws.below(2 * JITTER + 1) - JITTER for place in (first, first + away)]

    def corners(self, draws):
        direction = draws.below(8)
        place = direction + (direction >= 4)
        y, x = self.axis(draws, place // 3 - 1), self.axis(draws, place % 3 - 1)
        return direction, list(zip(y, x))


METHODS = [ContextPrediction]
