// SPDX-License-Identifier: Apache-2.0
// What the server says to an item. The client knows each answer to the byte, and so sees its number and order.
#pragma once
#include <string>
#include <string_view>

#include "random.h"

namespace torture {

// `status`: "200 OK"; one of several framings. `number` stands in it.
std::string http_answer(Random& random, std::string_view status, uint32_t number, bool to_head);
// 101, or 2xx to CONNECT: no body, and then another protocol.
std::string switch_answer(std::string_view status, uint32_t number);
std::string opaque_answer(Random& random, uint32_t number);

}  // namespace torture
