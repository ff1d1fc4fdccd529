"""Quickstart of anchors: 200,000 ratings made of planted anchors; NBANT finds how many.

Not a row of the paper's tables. No download.

Command:  python -m train.ant --config configs/quickstart_ratings.py
          --config.data.planted_anchors=6 plants another number
Time:     a minute on two cores
Result:   `num_anchors` within 2 of `planted_anchors` (16)
"""

from jaxcompress import ant


def get_config() -> ant.Config:
    return ant.Config(
        num_steps=24_000,
        eval_every=1000,
        model=ant.ModelConfig(
            latent_dim=32, user_anchors=10, item_anchors=10, biases=False
        ),  # what is planted is products alone
        growth=ant.GrowthConfig(
            enabled=True, max_anchors=48, anchor_penalty=2e-3, nonzero_penalty=1e-6
        ),
        optimizer=ant.OptimizerConfig(learning_rate=0.03),
    )
