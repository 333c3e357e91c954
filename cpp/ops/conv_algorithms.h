// The rows of the table: each algorithm's file defines its own.
#pragma once

#include "ops/conv.h"

namespace conv2d {

ConvAlgorithm conv_reference();
ConvAlgorithm conv_gemm();
ConvAlgorithm conv_depthwise();
ConvAlgorithm conv_grouped();
ConvAlgorithm conv_planar();
ConvAlgorithm conv_winograd4();
ConvAlgorithm conv_winograd2();
ConvAlgorithm conv_winograd_line();
ConvAlgorithm conv_winograd_strided();

}  // namespace conv2d
