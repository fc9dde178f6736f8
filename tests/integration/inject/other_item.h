// SPDX-License-Identifier: Apache-2.0
// Messages of protocols that are not HTTP/1, full of what looks like it. Nothing may be added to them.
#pragma once
#include "item.h"
#include "random.h"

namespace torture {

Item other_item(const Plan& plan, uint32_t index, Random& random);
// Behind a 101, or a 2xx to CONNECT: bytes that look like requests more than anything else does.
Item tunnel_item(uint32_t index, Random& random);

}  // namespace torture
