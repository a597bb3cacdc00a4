# SPDX-License-Identifier: Apache-2.0
"""A Searcher of Ray Tune over `mlgraph tune --serve`: pip install "ray[tune]".

    tuner = Tuner(["mlgraph", "tune", "prog.npz", "--space", "space.json", "--log", "tune.log"])
    def trainable(config):
        return {"seconds": measure(config)}          # raise to say that it failed
    tune.Tuner(trainable, tune_config=tune.TuneConfig(search_alg=MlgraphSearcher(tuner), num_samples=200)).fit()
"""
from ray.tune.search import Searcher


class MlgraphSearcher(Searcher):
    """Suggests the configurations of an ask_and_tell.Tuner; one device, or devices that are alike."""

    def __init__(self, tuner, metric="seconds", device="ray"):
        super().__init__(metric=metric, mode="min")
        self._tuner, self._device, self._trials = tuner, device, {}

    def suggest(self, trial_id):
        trials = self._tuner.ask(1, device=self._device, wait=False)
        if not trials:
            return Searcher.FINISHED if self._tuner.done else None  # None: asks again later
        self._trials[trial_id] = trials[0]
        return dict(trials[0]["config"])

    def on_trial_complete(self, trial_id, result=None, error=False):
        trial = self._trials.pop(trial_id, None)
        if trial is None:
            return
        if error or not result or self.metric not in result:
            self._tuner.tell(trial, failure="run", message="the trial failed", device=self._device)
        else:
            seconds = result[self.metric]
            self._tuner.tell(trial, seconds=seconds if isinstance(seconds, list) else [seconds], device=self._device)

    def __getstate__(self):  # Ray keeps copies on disk; of a process there is none, and the log has everything
        return {**self.__dict__, "_tuner": None}

    def save(self, checkpoint_path):
        pass

    def restore(self, checkpoint_path):
        pass
