"""What the project's choices bring, measured against plain implementations that stand beside them.

    python -m benchmarks NAME [NAME ...] [--quick] [--out FILE]

`benchmarks.race` says how anything is timed, `steps` compares a step of the game with the release's order, `losses`
NT-Xent, `reading` the reader and the augmentation, `rates` whole files with `deface`. Nothing here is part of the
wheel."""
