/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kernel reads of contexts in other forms than W3C's is what user space reads, or nothing. */
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "agent/correlation/propagation/extract.h"
#include "agent/correlation/propagation/header_name.h"
#include "bpf/http1/framing_shim.h"

namespace
{

using namespace clew::correlation::propagation;

constexpr uint8_t kTrace = 1, kSpan = 2, kDecision = 4, kSampled = 8, kDebug = 16, kOdd = 128;

struct Field {
	std::string name, value;
};
using Fields = std::vector<Field>;

framing_head seen_by_kernel(const Fields &fields)
{
	std::string request = "GET / HTTP/1.1\r\nHost: x\r\n";
	for (const Field &f : fields)
		request += f.name + ": " + f.value + "\r\n";
	request += "\r\n";
	framing_look_at_fields(true);
	framing *const f = framing_new([](void *, int, uint64_t, const uint8_t *, uint32_t, uint64_t) {}, nullptr);
	framing_call(f, 0, reinterpret_cast<const uint8_t *>(request.data()), static_cast<uint32_t>(request.size()), 512, '-');
	const framing_head head = framing_latest_head(f);
	EXPECT_EQ(framing_heads(f), 1U) << request;
	framing_free(f);
	framing_look_at_fields(false);
	return head;
}

bool is_read(const framing_head &head)
{
	return head.form != 0 && (head.form_has & (kTrace | kSpan | kOdd)) == (kTrace | kSpan);
}

std::string text_of(const Fields &fields)
{
	std::string text;
	for (const Field &f : fields)
		text += f.name + ": " + f.value + "\n";
	return text;
}

/* The kernel has read a context: user space has that one, with the same decision. */
void expect_same(const Fields &fields, const framing_head &head)
{
	HeaderValues values;
	for (const Field &f : fields)
		if (const auto name = recognise(f.name))
			values.add(*name, f.value);
	const ExtractResult result = extract(values, kDefaultOrder);
	ASSERT_TRUE(result.context) << text_of(fields);
	EXPECT_EQ(head.form, 1 << static_cast<int>(result.context->propagator)) << text_of(fields);
	for (size_t i = 0; i < 16; i++)
		ASSERT_EQ(result.context->trace_id[i], static_cast<uint8_t>(head.trace_id[i / 8] >> (56 - 8 * (i % 8)))) << text_of(fields);
	const bool decided = (head.form_has & (kDecision | kDebug)) != 0, yes = (head.form_has & (kSampled | kDebug)) != 0;
	EXPECT_EQ(decided, result.context->sampled != Sampled::kDeferred) << text_of(fields);
	if (decided) {
		EXPECT_EQ(yes, result.context->sampled != Sampled::kNo) << text_of(fields);
	}
}

class Author
{
      public:
	explicit Author(uint64_t seed) : random_(seed)
	{
	}
	size_t any(size_t n)
	{
		return random_() % n;
	}
	std::string digits(size_t n, bool upper = false)
	{
		std::string text;
		while (text.size() < n)
			text += (upper ? "0123456789ABCDEF" : "0123456789abcdef")[any(16)];
		return text;
	}
	std::string number(size_t digits)
	{
		std::string text(1, static_cast<char>('1' + any(9)));
		while (text.size() < digits)
			text += static_cast<char>('0' + any(10));
		return text;
	}
	template <class T> T one_of(std::initializer_list<T> all)
	{
		return *(all.begin() + any(all.size()));
	}

	/* As libraries write them. */
	Fields usual()
	{
		switch (any(5)) {
		case 0: {
			const std::string ids = digits(any(2) ? 32 : 16) + "-" + digits(16);
			return {{one_of<std::string>({"b3", "B3"}), ids + one_of<std::string>({"", "-0", "-1", "-d"})},
				any(2) ? Field{"b3x", "-"} : Field{"x-request-id", digits(20)}};
		}
		case 1: {
			Fields fields{
				{"X-B3-TraceId", digits(any(2) ? 32 : 16)}, {"X-B3-SpanId", digits(16)}, {"X-B3-ParentSpanId", digits(16)}};
			if (any(2))
				fields.push_back({"x-b3-sampled", one_of<std::string>({"0", "1"})});
			if (any(4) == 0)
				fields.push_back({"x-b3-flags", "1"});
			std::shuffle(fields.begin(), fields.end(), random_);
			return fields;
		}
		case 2:
			return {{"uber-trace-id", digits(any(2) ? 32 : 16) + ":" + digits(16, any(2)) + ":" +
							  one_of<std::string>({"0", digits(16)}) + ":" +
							  one_of<std::string>({"0", "1", "3", "01"})}};
		case 3:
			return {{"X-Amzn-Trace-Id", "Root=1-" + digits(8, any(2)) + "-" + digits(24) + ";Parent=" + digits(16) +
							    one_of<std::string>({"", ";Sampled=0", ";Sampled=1"})}};
		default: {
			Fields fields{{"x-datadog-trace-id", number(1 + any(19))}, {"x-datadog-parent-id", number(1 + any(19))}};
			if (any(2))
				fields.push_back({"x-datadog-sampling-priority", one_of<std::string>({"-1", "0", "1", "2"})});
			if (any(2))
				fields.push_back({"x-datadog-tags", one_of<std::string>({"", "_dd.p.dm=-0,", "a=b,"}) + "_dd.p.tid=" +
									    digits(16) + one_of<std::string>({"", ",_dd.p.usr.id=x"})});
			std::shuffle(fields.begin(), fields.end(), random_);
			return fields;
		}
		}
	}

	/* One thing is not as usual. */
	Fields spoilt()
	{
		Fields fields = usual();
		Field &f = fields[any(fields.size())];
		switch (any(8)) {
		case 0:
			f.value.erase(any(f.value.size() + 1));
			break;
		case 1:
			f.value.insert(any(f.value.size() + 1), 1, "-:;=g %0"[any(8)]);
			break;
		case 2:
			fields.push_back(f);
			break;
		case 3: {
			const Fields more = usual();
			fields.insert(fields.end(), more.begin(), more.end());
			break;
		}
		case 4:
			f.value = " " + f.value + one_of<std::string>({" ", "\t", ""});
			break;
		case 5:
			fields.erase(fields.begin() + static_cast<ptrdiff_t>(any(fields.size())));
			break;
		case 6:
			for (char &c : f.value)
				c = c >= '1' && c <= '9' ? '0' : c;
			break;
		default:
			if (!f.value.empty())
				f.value[any(f.value.size())] = "0123456789abcdefABCDEF-:;=,% gz"[any(31)];
		}
		return fields;
	}

      private:
	std::mt19937_64 random_;
};

TEST(Http1Contexts, AsLibrariesWriteThemAllAreRead)
{
	for (uint64_t seed = 1; seed <= 5000; seed++) {
		Author author(seed);
		const Fields fields = author.usual();
		const framing_head head = seen_by_kernel(fields);
		ASSERT_TRUE(is_read(head)) << text_of(fields) << static_cast<int>(head.form_has);
		expect_same(fields, head);
		if (HasFatalFailure() || HasNonfatalFailure())
			return;
	}
}

TEST(Http1Contexts, OfOthersNothingIsReadThatUserSpaceDoesNotRead)
{
	size_t read = 0;
	for (uint64_t seed = 1; seed <= 50000; seed++) {
		Author author(seed);
		const Fields fields = author.spoilt();
		const framing_head head = seen_by_kernel(fields);
		if (!is_read(head))
			continue;
		read++;
		expect_same(fields, head);
		if (HasFatalFailure() || HasNonfatalFailure())
			return;
	}
	EXPECT_GT(read, 1000U);
}

TEST(Http1Contexts, LargestNumbers)
{
	const auto is_read_with = [](const std::string &id) {
		return is_read(seen_by_kernel({{"x-datadog-trace-id", id}, {"x-datadog-parent-id", "1"}}));
	};
	EXPECT_TRUE(is_read_with("18446744073709551615"));
	EXPECT_FALSE(is_read_with("18446744073709551616"));
	EXPECT_FALSE(is_read_with("99999999999999999999"));
	EXPECT_FALSE(is_read_with("100000000000000000000"));
	EXPECT_FALSE(is_read_with("0"));
	EXPECT_FALSE(is_read_with(""));
}

TEST(Http1Contexts, ATracestateIsSeen)
{
	constexpr uint8_t kState = 16;
	EXPECT_TRUE(seen_by_kernel({{"tracestate", "ot=rv:6e6d1a75832a2f"}}).seen & kState);
	EXPECT_TRUE(seen_by_kernel({{"TraceState", std::string(600, 'x')}}).seen & kState);
	EXPECT_FALSE(seen_by_kernel({{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, {"trailer", "x"}}).seen &
		     kState);
}

TEST(Http1Contexts, ATraceparentThatIsNotUnderstoodIsToldFromOtherForms)
{
	constexpr uint8_t kOdd = 32;
	const std::string usual = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
	EXPECT_FALSE(seen_by_kernel({{"traceparent", usual}, {"b3", "1-2-1"}}).seen & kOdd);
	EXPECT_FALSE(seen_by_kernel({{"b3", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"}}).seen & kOdd);
	for (const std::string &odd : {usual + " ", usual + "-more", std::string()})
		EXPECT_TRUE(seen_by_kernel({{"b3", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"}, {"traceparent", odd}}).seen &
			    kOdd);
	EXPECT_TRUE(seen_by_kernel({{"traceparent", usual}, {"TraceParent", usual}}).seen & kOdd);
}

TEST(Http1Contexts, AResponseSaysNothingOfItsRequest)
{
	framing_look_at_fields(true);
	framing *const f = framing_new([](void *, int, uint64_t, const uint8_t *, uint32_t, uint64_t) {}, nullptr);
	const auto call = [f](int direction, std::string_view bytes) {
		framing_call(f, direction, reinterpret_cast<const uint8_t *>(bytes.data()), static_cast<uint32_t>(bytes.size()), 512, '-');
	};
	call(0, "GET / HTTP/1.1\r\nb3: 00000000000000010000000000000002-0000000000000003-1\r\n\r\n");
	call(1, "HTTP/1.1 200 OK\r\nX-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793\r\nContent-Length: 0\r\n\r\n");
	EXPECT_TRUE(is_read(framing_latest_head(f)));
	EXPECT_EQ(framing_latest_head(f).trace_id[1], 2U);
	call(0, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); /* and the next request none */
	EXPECT_FALSE(is_read(framing_latest_head(f)));
	framing_free(f);
	framing_look_at_fields(false);
}

} // namespace
