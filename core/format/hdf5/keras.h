/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keras 3's own format: a zip of the model's configuration and its weights, an HDF5 file that is
 * checked where it lies.
 */
#ifndef CKPT_CORE_FORMAT_HDF5_KERAS_H
#define CKPT_CORE_FORMAT_HDF5_KERAS_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_keras;

#endif
