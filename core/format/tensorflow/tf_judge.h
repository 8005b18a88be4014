/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a table's faults mean for the checkpoint that it is, or that it is the index of.
 */
#ifndef CKPT_CORE_FORMAT_TENSORFLOW_TF_JUDGE_H
#define CKPT_CORE_FORMAT_TENSORFLOW_TF_JUDGE_H

#include "core/format/format.h"
#include "core/format/tensorflow/tf_table.h"

/*
 * The verdict on @check->file after a function of @table answered @r (not CKPT_TF_END), as a check
 * function; errnos pass through.
 */
int ckpt_tf_judge(struct ckpt_check *check, const struct ckpt_tf_table *table, int r);

/*
 * Notes what @name, a variable's, says of the checkpoint: an optimizer's variables make it full.
 * Without them a counter of steps or saves shows that a training loop wrote it
 * (tf.train.Checkpoint.save, tf.compat.v1.train.Saver): plain SGD has no variables, so that is not
 * weights alone. Begins with CKPT_CONTENTS_WEIGHTS.
 */
void ckpt_tf_note_contents(struct ckpt_report *report, const char *name);

#endif
