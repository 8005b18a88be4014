#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#SBATCH --job-name=train
#SBATCH --partition=low
#SBATCH --requeue
# Submit with:  sbatch --ckpt-resume --ckpt-epoch=completed train.sh
# Everything else is as it was before: the program reads CKPT_RESUME_PATH and CKPT_START_EPOCH.
exec /usr/bin/python3 "$TRAIN_PROGRAM" "$@"
