/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's walk over what a client of HTTP/2 sends, against streams whose requests are known, cut in every way. */
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bpf/http2/sent_requests_shim.h"

namespace
{

using Field = std::pair<std::string, std::string>;

enum : uint8_t { kData = 0, kHeaders = 1, kRst = 3, kSettings = 4, kPing = 6, kWindowUpdate = 8, kContinuation = 9 };
constexpr uint8_t kEndHeaders = 4, kPadded = 8, kPriority = 32;

std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload = {})
{
	std::string bytes;
	for (int shift = 16; shift >= 0; shift -= 8)
		bytes.push_back(static_cast<char>(payload.size() >> shift));
	bytes.push_back(static_cast<char>(type));
	bytes.push_back(static_cast<char>(flags));
	for (int shift = 24; shift >= 0; shift -= 8)
		bytes.push_back(static_cast<char>(stream >> shift));
	return bytes.append(payload);
}

const std::string kBeginning = "\r\nSM\r\n\r\n" + frame(kSettings, 0, 0, std::string("\0\3\0\0\0d", 6));

std::string integer(uint8_t pattern, int bits, size_t value)
{
	const size_t mask = (size_t{1} << bits) - 1;
	std::string bytes(1, static_cast<char>(pattern | std::min(value, mask)));
	if (value < mask)
		return bytes;
	for (value -= mask; value >= 128; value >>= 7)
		bytes.push_back(static_cast<char>(value | 128));
	bytes.push_back(static_cast<char>(value));
	return bytes;
}

/* Names as they are in Huffman code (RFC 7541, appendix B), of what is looked for and of what is not. */
const std::vector<std::pair<std::string, std::string>> kHuffman = {
	{"traceparent", "\x4d\x83\x21\x6b\x1d\x85\xa9\x3f"},	   {"b3", "\x8d\x9f"},
	{"uber-trace-id", "\xb6\x32\xd8\xb2\x6c\x19\x0a\xb1\xa4"}, {"x-amzn-trace-id", "\xf2\xb0\xe9\xf7\x52\xc9\xb0\x64\x2a\xc6\x93"},
	{"custom-key", "\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f"}, /* appendix C.4.3 */
};

bool is_context(const std::string &name)
{
	return name == "traceparent" || name == "b3" || name.starts_with("x-b3-") || name == "uber-trace-id" || name == "x-amzn-trace-id" ||
	       name.starts_with("x-datadog-");
}

/* An encoder that takes any of the forms that a field may have. */
class Encoder
{
      public:
	explicit Encoder(uint32_t seed) : random_(seed)
	{
	}
	std::string block(const std::vector<Field> &fields)
	{
		std::string bytes = chance(10) ? integer(0x20, 5, 4096) : "";
		for (const Field &field : fields)
			bytes += one(field);
		return bytes;
	}

      private:
	bool chance(int one_in)
	{
		return random_() % static_cast<unsigned>(one_in) == 0;
	}
	std::string name(const std::string &text)
	{
		for (const auto &[plain, code] : kHuffman)
			if (plain == text && chance(2))
				return integer(0x80, 7, code.size()) + code;
		return integer(0, 7, text.size()) + text;
	}
	std::string one(const Field &field)
	{
		const auto whole = std::find(table_.begin(), table_.end(), field);
		if (whole != table_.end() && !chance(4))
			return integer(0x80, 7, 62 + static_cast<size_t>(whole - table_.begin()));
		const auto same =
			std::find_if(table_.begin(), table_.end(), [&field](const Field &entry) { return entry.first == field.first; });
		const size_t index = same != table_.end() && !chance(4) ? 62 + static_cast<size_t>(same - table_.begin()) : 0;
		const auto form = random_() % 3;
		std::string bytes = form == 0 ? integer(0x40, 6, index) : integer(form == 1 ? 0 : 0x10, 4, index);
		if (index == 0)
			bytes += name(field.first);
		bytes += integer(0, 7, field.second.size()) + field.second;
		if (form == 0) {
			table_.push_front(field);
			size_t size = 0, n = 0;
			while (n < table_.size() && (size += table_[n].first.size() + table_[n].second.size() + 32) <= 4096)
				n++;
			table_.resize(n);
		}
		return bytes;
	}

	std::mt19937 random_;
	std::deque<Field> table_;
};

/* What the walk has found of a stream that is cut into messages. */
struct Found {
	uint32_t stream;
	size_t place, frame_at; /* in the stream */
	bool here, has_context, has_contexts;
	uint32_t list_size, fields;
	size_t begins; /* in the stream */
};

class Client
{
      public:
	Client() : sent_(sent_new(&Client::take, this))
	{
	}
	~Client()
	{
		sent_free(sent_);
	}
	Client(const Client &) = delete;
	Client &operator=(const Client &) = delete;

	bool message(std::string_view bytes, uint32_t window = 1024)
	{
		const std::string copy(bytes);
		const bool good = sent_message(sent_, reinterpret_cast<const uint8_t *>(copy.data()), static_cast<uint32_t>(copy.size()),
					       window, 0xff);
		before_ += bytes.size();
		return good;
	}
	std::vector<Found> found;

      private:
	static void take(void *self, const sent_request *r)
	{
		auto &client = *static_cast<Client *>(self);
		const bool here = r->frame_at != SENT_NOT_HERE;
		client.found.push_back({r->stream, client.before_ + r->place, here ? client.before_ + r->frame_at : 0, here, r->has_context,
					r->has_contexts, r->list_size, r->fields, r->begins});
	}
	sent *sent_;
	size_t before_ = 0;
};

struct Expected {
	uint32_t stream;
	size_t place, frame_at;
	size_t contexts, list_size, fields, begins;
};

struct Stream {
	std::string bytes = kBeginning;
	std::vector<Expected> requests;
};

Stream make_stream(uint32_t seed, int requests)
{
	std::mt19937 random(seed);
	Encoder encoder(seed);
	Stream s;
	const std::vector<std::string> names = {"x-a",
						"custom-key",
						"traceparent",
						"b3",
						"x-b3-traceid",
						"uber-trace-id",
						"x-amzn-trace-id",
						"x-datadog-parent-id",
						"traceparents",
						"b33",
						"x-b3",
						"tracestate",
						":path",
						"x-datadog"};
	for (int i = 0; i < requests; i++) {
		const auto stream = static_cast<uint32_t>(2 * i + 1);
		const size_t kinds = random() % 3 == 0 ? names.size() : 2;
		std::vector<Field> fields;
		size_t list_size = 0;
		size_t contexts = 0;
		for (auto n = random() % 8 + 1; n > 0; n--) {
			fields.emplace_back(names[random() % kinds], std::string(random() % 40 == 0 ? 3000 : random() % 30, 'v'));
			list_size += fields.back().first.size() + fields.back().second.size() + 32;
			contexts += is_context(fields.back().first);
		}
		const std::string block = encoder.block(fields);
		const bool is_continued = random() % 4 == 0, is_padded = random() % 4 == 0, has_priority = random() % 4 == 0;
		const size_t cut = is_continued ? random() % block.size() : block.size();
		std::string payload = is_padded ? std::string(1, '\5') : "";
		payload += (has_priority ? "\0\0\0\0\7" : "") + block.substr(0, cut) + std::string(is_padded ? 5 : 0, '\0');
		if (has_priority)
			payload.insert(is_padded ? 1 : 0, std::string(5, '\1'));
		size_t at = s.bytes.size();
		const size_t begins = at;
		s.bytes += frame(
			kHeaders,
			static_cast<uint8_t>((is_continued ? 0 : kEndHeaders) | (is_padded ? kPadded : 0) | (has_priority ? kPriority : 0)),
			stream, payload);
		size_t place = s.bytes.size() - (is_padded ? 5 : 0);
		if (is_continued) {
			at = s.bytes.size();
			s.bytes += frame(kContinuation, kEndHeaders, stream, block.substr(cut));
			place = s.bytes.size();
		}
		s.requests.push_back({stream, place, at, contexts, list_size, fields.size(), begins});
		if (random() % 3 == 0)
			s.bytes += frame(kData, random() % 2 ? 1 : 0, stream, std::string(random() % 200, 'H'));
		if (random() % 5 == 0) /* trailers */
			s.bytes += frame(kHeaders, kEndHeaders | 1, stream, encoder.block({{"x-a", "end"}, {"traceparent", "late"}}));
		if (random() % 5 == 0)
			s.bytes += frame(kWindowUpdate, 0, 0, std::string("\0\0\1\0", 4)) + frame(kPing, 0, 0, "01234567") +
				   frame(0x42, 3, stream, "unknown");
	}
	return s;
}

void expect_all(const Stream &s, const Client &client, bool headers_whole)
{
	ASSERT_EQ(client.found.size(), s.requests.size());
	for (size_t i = 0; i < s.requests.size(); i++) {
		const Expected &e = s.requests[i];
		const Found &f = client.found[i];
		ASSERT_EQ(f.stream, e.stream);
		ASSERT_EQ(f.place, e.place);
		ASSERT_EQ(f.has_context, e.contexts > 0) << "request " << i;
		ASSERT_EQ(f.has_contexts, e.contexts > 1) << "request " << i;
		ASSERT_EQ(f.begins, e.begins) << "request " << i;
		ASSERT_GE(f.list_size, e.list_size) << "request " << i;
		ASSERT_LE(f.list_size, 3 * e.list_size + 400);
		ASSERT_EQ(f.fields, e.fields) << "request " << i;
		if (headers_whole) {
			ASSERT_TRUE(f.here);
		}
		if (f.here) {
			ASSERT_EQ(f.frame_at, e.frame_at);
		}
	}
}

TEST(SentRequests, ARequestIsFoundWithTheEndOfItsBlock)
{
	Client client;
	ASSERT_TRUE(client.message(kBeginning + frame(kHeaders, kEndHeaders | 1, 1, "\x82\x86\x84\x41\x01h")));
	ASSERT_EQ(client.found.size(), 1U);
	EXPECT_EQ(client.found[0].frame_at, kBeginning.size());
	EXPECT_EQ(client.found[0].place, kBeginning.size() + 9 + 6);
	EXPECT_FALSE(client.found[0].has_context);
}

TEST(SentRequests, WholeMessagesOfAnyShape)
{
	for (uint32_t seed = 0; seed < 300; seed++) {
		const Stream s = make_stream(seed, 60);
		Client client;
		ASSERT_TRUE(client.message(s.bytes, seed % 2 ? 1024 : 64 + seed)) << seed;
		expect_all(s, client, true);
		if (HasFatalFailure())
			FAIL() << "seed " << seed;
	}
}

TEST(SentRequests, CutAnywhereIntoMessages)
{
	for (uint32_t seed = 0; seed < 200; seed++) {
		const Stream s = make_stream(seed, 30);
		std::mt19937 random(seed);
		const size_t most = seed % 4 == 0 ? 1 : seed % 4 == 1 ? 3 : seed % 4 == 2 ? 40 : 700;
		Client client;
		for (size_t at = 0; at < s.bytes.size();) {
			const size_t n = std::min(random() % most + 1, s.bytes.size() - at);
			ASSERT_TRUE(client.message(std::string_view(s.bytes).substr(at, n))) << "seed " << seed << " at " << at;
			at += n;
		}
		expect_all(s, client, false);
		if (HasFatalFailure())
			FAIL() << "seed " << seed;
	}
}

TEST(SentRequests, AContextInTheTableIsSeenByItsIndex)
{
	Client client;
	const std::string literal = "\x40\x0btraceparent\x01v";
	ASSERT_TRUE(client.message(kBeginning + frame(kHeaders, kEndHeaders, 1, literal) + frame(kHeaders, kEndHeaders, 3, "\xbe") +
				   frame(kHeaders, kEndHeaders, 5, std::string("\x40\1a\1b\xbe", 6)) +
				   frame(kHeaders, kEndHeaders, 7, "\xbf") + frame(kHeaders, kEndHeaders, 9, "\x0f\x30\1w")));
	ASSERT_EQ(client.found.size(), 5U);
	EXPECT_TRUE(client.found[0].has_context);
	EXPECT_TRUE(client.found[1].has_context);
	EXPECT_FALSE(client.found[2].has_context);
	EXPECT_TRUE(client.found[3].has_context);
	EXPECT_TRUE(client.found[4].has_context) << "its name from the table";
}

TEST(SentRequests, WhatNoClientSendsEndsIt)
{
	const std::string request = frame(kHeaders, kEndHeaders, 1, "\x82");
	const std::vector<std::pair<std::string, std::string>> rows = {
		{"no SETTINGS first", "\r\nSM\r\n\r\n" + request},
		{"an acknowledgement first", "\r\nSM\r\n\r\n" + frame(kSettings, 1, 0)},
		{"a server's stream", kBeginning + frame(kHeaders, kEndHeaders, 2, "\x82")},
		{"another's CONTINUATION", kBeginning + frame(kHeaders, 0, 1, "\x82") + frame(kContinuation, kEndHeaders, 3, "\x82")},
		{"CONTINUATION of nothing", kBeginning + frame(kContinuation, kEndHeaders, 1, "\x82")},
		{"a frame within a block", kBeginning + frame(kHeaders, 0, 1, "\x82") + frame(kPing, 0, 0, "01234567")},
		{"an index of nothing", kBeginning + frame(kHeaders, kEndHeaders, 1, "\xbe")},
		{"index 0", kBeginning + frame(kHeaders, kEndHeaders, 1, "\x80")},
		{"an endless integer", kBeginning + frame(kHeaders, kEndHeaders, 1, "\xff\xff\xff\xff\xff\xff\xff")},
		{"a string behind its block", kBeginning + frame(kHeaders, kEndHeaders, 1, std::string("\0\1a\5b", 5))},
		{"a field without a value", kBeginning + frame(kHeaders, kEndHeaders, 1, std::string("\0\1a", 3))},
		{"an empty name", kBeginning + frame(kHeaders, kEndHeaders, 1, std::string("\0\0\1b", 4))},
		{"more padding than bytes", kBeginning + frame(kHeaders, kEndHeaders | kPadded, 1, "\x09\x82")},
		{"RST_STREAM of 3 bytes", kBeginning + frame(kRst, 0, 1, "abc")},
	};
	for (const auto &[what, bytes] : rows) {
		Client client;
		EXPECT_FALSE(client.message(bytes)) << what;
		EXPECT_TRUE(client.found.empty()) << what;
		EXPECT_FALSE(client.message(request)) << what;
	}
}

TEST(SentRequests, AnythingIsBorne)
{
	for (uint32_t seed = 0; seed < 2000; seed++) {
		std::mt19937 random(seed);
		Stream s = make_stream(seed, 8);
		for (auto n = random() % 4 + 1; n > 0; n--)
			s.bytes[random() % s.bytes.size()] = static_cast<char>(random());
		Client client;
		for (size_t at = 0; at < s.bytes.size();) {
			const size_t n = std::min<size_t>(random() % 300 + 1, s.bytes.size() - at);
			client.message(std::string_view(s.bytes).substr(at, n));
			at += n;
		}
		EXPECT_LE(client.found.size(), 60U);
	}
}

} // namespace
