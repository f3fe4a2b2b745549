"""From a mixture that is to be tried to the stages that try it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import xxhash

from mixers.budget import Mixture, source_is
from pipelines.errors import UserError
from pipelines.execution.fingerprint import fingerprint
from pipelines.graph.build import Graph
from pipelines.recipe.recipe import HELD_OUT
from pipelines.recipe.trials import Trials
from pipelines.stages.mix import Mix
from pipelines.stages.shards import Shards
from pipelines.stages.tokenize import Tokenize
from pipelines.stages.trials.trial import Trial
from pipelines.stages.trials.trial_mix import TrialMix
from trainers.config import Adapter, SmallModel, StageTraining, Train
from trainers.model import fingerprint as model_fingerprint

SLACK = 1.1
"""A trial may repeat documents so much more often than the stage: few documents are not exactly a share."""
LORA_LR = 10
"""Times the learning rate that suits all weights suits an adapter (Schulman 2025, "LoRA Without Regret")."""
FEWEST_STEPS = 10


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A mixture that is tried: its name, what is asked for, and of which documents."""

    name: str
    mixture: Mixture
    tokenized: tuple[Tokenize, ...]


@dataclass(frozen=True, kw_only=True)
class TrialMaker:
    """Makes the trials of a run's mixture, all alike but for the mixture and the draw."""

    graph: Graph
    stage: str
    mixture: Mixture
    """As the recipe has it, or pinned."""
    tokens: int
    """Of a trial."""
    model: str | SmallModel
    model_identity: str
    training: StageTraining

    @classmethod
    def of(cls, graph: Graph, trials: Trials) -> TrialMaker:
        """The trials that a recipe asks for. Raises UserError where it cannot have them."""
        recipe = graph.recipe
        mixture = recipe.whole_mixtures[trials.stage]
        if HELD_OUT not in graph.shards:
            raise UserError(
                "trials are scored on held-out documents, and there are none",
                place="held_out.share",
                hint="Hold out a share: 1%.",
            )
        tokens = trials.tokens or round(trials.share * mixture.tokens)
        train = recipe.train or Train()
        model = trials.model or train.model
        training = trials.train or _short(train.stage(trials.stage), model, recipe.tokenizer.is_changed)
        training = training.model_copy(
            update={"evaluate_every": 0, "save_every": 0, "log_to": (), "epochs": 1, "start": None}
        )
        steps = tokens / (training.rows_per_step * mixture.sequence_length)
        if steps < FEWEST_STEPS:
            raise UserError(
                f"a trial of {tokens:,} tokens has {steps:.1f} steps of {training.rows_per_step} rows of "
                f"{mixture.sequence_length:,} tokens; that teaches nothing",
                place="trials",
                hint="Raise `trials.share`, or lower `trials.train.rows_per_step`.",
            )
        return cls(
            graph=graph,
            stage=trials.stage,
            mixture=mixture,
            tokens=tokens,
            model=model,
            model_identity=model_fingerprint(model),
            training=training,
        )

    @property
    def share(self) -> float:
        """Tokens of a trial, as a share of the stage's."""
        return min(1.0, self.tokens / self.mixture.tokens)

    @property
    def tokenized(self) -> tuple[Tokenize, ...]:
        """The documents of the mixture as the recipe has it."""
        return self.graph.mixes[self.stage].tokenized

    def arm(self, name: str, tokenized: tuple[Tokenize, ...] | None = None) -> Arm:
        """The recipe's own weights, of other documents where some are given.

        Groups that no document can be in are left out: the others share their part.
        """
        mixture, tokenized = self.mixture, self.tokenized if tokenized is None else tokenized
        if not mixture.groups:
            fed = {domain for each in tokenized for domain in each.domains}
            weights = {group: weight for group, weight in mixture.weights.items() if group in fed}
            if not weights:
                raise UserError(f"`{name}` leaves no group with documents", place=f"mixtures.{self.stage}")
            mixture = mixture.model_copy(update={"weights": weights})
        return Arm(name=name, mixture=mixture, tokenized=tokenized)

    def pinned(self, supply: Mapping[str, Mapping[str, int]]) -> TrialMaker:
        """The same with a weight for each source in each group, as many documents as it may have.

        What a rule drops or an edit shortens would else leave more room to other sources of the group, and
        what these do would count as what it does.

        Args:
            supply: By group and source, what the recipe's own mixture draws from.
        """
        mixture = self.mixture
        weights: dict[str, float] = {}
        groups: dict[str, str] = {}
        epochs: dict[str, float] = {}
        for group, by_source in supply.items():
            for source, amount in by_source.items():
                if amount:
                    name = f"{group} of {source}"
                    weights[name] = mixture.weights[group] * amount / sum(by_source.values())
                    groups[name] = f"({mixture.predicates[group]}) and {source_is(source)}"
                    epochs[name] = mixture.epochs_allowed(group)
        changes = {"weights": weights, "groups": groups, "group_max_epochs": epochs}
        return replace(self, mixture=mixture.model_copy(update=changes))

    def weighted(self, name: str, shares: dict[str, float]) -> Arm:
        """The recipe's documents with other shares of the groups; groups with none are left out."""
        weights = {group: share for group, share in shares.items() if share > 0}
        return Arm(
            name=name, mixture=self.mixture.model_copy(update={"weights": weights}), tokenized=self.tokenized
        )

    def trial(self, arm: Arm, replicate: int, salt: str = "") -> Trial:
        """One training on a mixture.

        Trials of the same replicate begin with the same weights, on the same draw of documents, as far as
        they have the same. What is left to chance, the documents that a mixture takes of the draw and their
        order, differs from trial to trial, so that it is in every difference; `salt` gives the same mixture
        another such seed.
        """
        scope = f"{arm.name}-{replicate}"
        mixture = self._in_small(arm.mixture)
        documents = [each.fingerprint for each in arm.tokenized]
        content: dict[str, Any] = {"mixture": mixture.model_dump(mode="json"), "replicate": replicate}
        seeded = fingerprint([self.graph.recipe.seed, content, documents, salt])
        mix = TrialMix(
            scope=scope,
            seed=xxhash.xxh32_intdigest(seeded.encode()) >> 1,
            sequence_length=arm.mixture.sequence_length,
            tokenized=arm.tokenized,
            mixture=mixture,
            about=self._about,
            share=self.share,
            draw=replicate,
            kept_out=self.graph.mixes[HELD_OUT],
        )
        training = self.training.model_copy(update={"seed": self.training.seed + replicate})
        return Trial(
            scope=scope,
            shards=Shards(scope=f"trial-{scope}", mix=mix, recipe_fingerprint=fingerprint(content)),
            held_out=self.graph.shards[HELD_OUT],
            model=self.model,
            model_identity=self.model_identity,
            training=training,
        )

    @property
    def _about(self) -> Any:
        mix = self.graph.mixes[self.stage]
        return mix.about if isinstance(mix, Mix) else None

    def _in_small(self, mixture: Mixture) -> Mixture:
        """Weights are kept where documents suffice; where they do not, the others fill what is lacking."""
        epochs = {group: SLACK * most for group, most in mixture.group_max_epochs.items()}
        return mixture.model_copy(
            update={
                "tokens": self.tokens,
                "on_shortage": "renormalize",
                "max_epochs": SLACK * mixture.max_epochs,
                "group_max_epochs": {
                    group: most for group, most in epochs.items() if group in mixture.weights
                },
            }
        )


def _short(training: StageTraining, model: str | SmallModel, changed_tokenizer: bool) -> StageTraining:
    """How a stage is trained, in short: an adapter on a given model, as long as that knows all tokens."""
    training = training.model_copy(update={"max_steps": None})
    if isinstance(model, SmallModel) or changed_tokenizer or training.adapter is not None or training.phases:
        return training
    optimizer = training.optimizer.model_copy(update={"lr": LORA_LR * training.optimizer.lr})
    return training.model_copy(update={"adapter": Adapter(), "optimizer": optimizer})
