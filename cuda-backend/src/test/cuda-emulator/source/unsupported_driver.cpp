#include "unsupported.h"

namespace emulator {

#define DRIVER(name) UNSUPPORTED(name, NOT_SUPPORTED)
#include "unsupported_driver.inc"

}  // namespace emulator
