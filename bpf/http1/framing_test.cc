/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's framing of HTTP/1 against conversations whose framing is known, and against the strict parser of user space. */
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/events.h"
#include "bpf/http1/framing_shim.h"
#include "protocols/http1/http1.h"
#include "protocols/proxy_header.h"
#include "protocols/testing/driver.h"

namespace
{

using clew::protocols::Sender;
using clew::protocols::testing::Driver;
using clew::protocols::testing::GuardedBytes;
using clew::protocols::testing::Transcript;

enum class Part {
	kShown,	 // heads, chunk sizes, trailers
	kHidden, // bodies, and what follows an upgrade
};

struct Piece {
	Sender sender;
	Part part;
	std::string bytes;
	bool ends_message = false;
};

using Conversation = std::vector<Piece>;

int direction_of(Sender sender)
{
	return sender == Sender::kClient ? CLEW_INGRESS : CLEW_EGRESS;
}

/* One connection as a server's kernel sees it, and what user space is told of it. */
class Kernel
{
      public:
	explicit Kernel(Driver *driver = nullptr) : driver_(driver), framing_(framing_new(&Kernel::sink, this))
	{
	}
	~Kernel()
	{
		framing_free(framing_);
	}
	Kernel(const Kernel &) = delete;
	Kernel &operator=(const Kernel &) = delete;

	framing_outcome call(Sender sender, std::string_view bytes, uint32_t window = CLEW_WINDOW, char slack = '\n')
	{
		Stream &s = streams_[direction_of(sender)];
		s.sent += bytes;
		s.shown.resize(s.sent.size(), 0);
		return framing_call(framing_, direction_of(sender), reinterpret_cast<const uint8_t *>(bytes.data()),
				    static_cast<uint32_t>(bytes.size()), window, static_cast<uint8_t>(slack));
	}

	/* Before the first call: the connection was found open, its directions of `distrusted` maybe in the middle of a body. */
	Kernel &join(std::initializer_list<Sender> distrusted)
	{
		uint8_t bits = 0;
		for (const Sender sender : distrusted)
			bits |= static_cast<uint8_t>(1 << direction_of(sender));
		framing_join(framing_, bits);
		return *this;
	}

	framing_head head() const
	{
		return framing_latest_head(framing_);
	}
	uint32_t heads() const
	{
		return framing_heads(framing_);
	}

	bool skip(Sender sender, size_t bytes)
	{
		Stream &s = streams_[direction_of(sender)];
		s.sent.append(bytes, '?');
		s.shown.resize(s.sent.size(), 0);
		return framing_skip(framing_, direction_of(sender), bytes);
	}

	/* What the agent learns at the end of the connection: how many bytes there were. */
	void close()
	{
		for (Sender sender : {Sender::kClient, Sender::kServer}) {
			Stream &s = streams_[direction_of(sender)];
			if (driver_ && s.sent.size() > s.told)
				driver_->lost(sender, s.sent.size() - s.told);
		}
	}

	/* Up to here user space knows the stream. */
	uint64_t told(Sender sender) const
	{
		return streams_[direction_of(sender)].told;
	}
	/* The bytes that were captured, one after the other. */
	std::string shown(Sender sender) const
	{
		const Stream &s = streams_[direction_of(sender)];
		std::string result;
		for (size_t i = 0; i < s.sent.size(); i++)
			if (s.shown[i])
				result += s.sent[i];
		return result;
	}
	bool is_shown(Sender sender, size_t position) const
	{
		return streams_[direction_of(sender)].shown[position] != 0;
	}
	/* How the events broke their contract; empty: they did not. */
	const std::string &violation() const
	{
		return violation_;
	}

      private:
	struct Stream {
		std::string sent;
		std::vector<char> shown;
		uint64_t told = 0;
	};

	static void sink(void *self, int direction, uint64_t position, const uint8_t *bytes, uint32_t length, uint64_t advanced_to)
	{
		static_cast<Kernel *>(self)->take(direction, position, {reinterpret_cast<const char *>(bytes), length}, advanced_to);
	}

	void take(int direction, uint64_t position, std::string_view bytes, uint64_t advanced_to)
	{
		const Sender sender = direction == CLEW_INGRESS ? Sender::kClient : Sender::kServer;
		Stream &s = streams_[direction];
		const uint64_t end = position + bytes.size();
		if (bytes.size() > CLEW_WINDOW)
			violation_ = "an event larger than a window";
		else if (position < s.told)
			violation_ = "a byte was told of twice, at " + std::to_string(position);
		else if (advanced_to < end || advanced_to > s.sent.size())
			violation_ = "advanced_to is nowhere in the call, at " + std::to_string(position);
		else if (s.sent.compare(position, bytes.size(), bytes) != 0)
			violation_ = "other bytes than were sent, at " + std::to_string(position);
		if (!violation_.empty())
			return;
		std::fill_n(s.shown.begin() + static_cast<std::ptrdiff_t>(position), bytes.size(), char{1});
		if (driver_) {
			driver_->lost(sender, position - s.told);
			if (!bytes.empty())
				driver_->bytes(sender, bytes);
			driver_->lost(sender, advanced_to - end);
		}
		s.told = advanced_to;
	}

	Driver *driver_;
	framing *framing_;
	Stream streams_[2];
	std::string violation_;
};

/* Makes conversations: any mixture of what HTTP/1 may do, with bodies that look like messages. */
class Author
{
      public:
	explicit Author(uint64_t seed) : random_(seed)
	{
	}

	Conversation write(size_t head_bytes_max)
	{
		head_bytes_max_ = head_bytes_max;
		pieces_.clear();
		const size_t rounds = 1 + below(5);
		for (size_t i = 0; i < rounds; i++) {
			if (one_in(3))
				pipelined();
			else if (one_in(4))
				early_response();
			else
				exchange();
		}
		switch (below(5)) {
		case 0:
			until_close();
			break;
		case 1:
			upgrade();
			break;
		case 2:
			tunnel();
			break;
		default:
			break;
		}
		return std::move(pieces_);
	}

	size_t below(size_t n)
	{
		return std::uniform_int_distribution<size_t>(0, n - 1)(random_);
	}
	bool one_in(size_t n)
	{
		return below(n) == 0;
	}

      private:
	struct Body {
		std::string fields; // of the head
		std::vector<std::pair<Part, std::string>> parts;
	};

	std::string any_case(std::string text)
	{
		if (one_in(2))
			for (char &c : text)
				if (one_in(2))
					c = static_cast<char>(one_in(2) ? std::tolower(c) : std::toupper(c));
		return text;
	}

	std::string word(size_t n)
	{
		std::string text(n, 'x');
		for (char &c : text)
			c = static_cast<char>('a' + below(26));
		return text;
	}

	/* Fields that mean nothing to the framing, some of them nearly. */
	std::string other_fields()
	{
		static constexpr const char *kDecoys[] = {"X-Content-Length: 5\r\n", "Content-Type: text/plain\r\n",
							  "Content-Lengths: 7\r\n",  "Transfer-Encodings: chunked\r\n",
							  "TE: chunked\r\n",	     "Content-Lengt: 3\r\n",
							  "Transfer: chunked\r\n",   "A:\r\n"};
		std::string text;
		for (size_t n = below(5); n > 0; n--)
			text += one_in(2) ? kDecoys[below(std::size(kDecoys))]
					  : "X-" + word(1 + below(20)) + ": " + word(below(150)) + "\r\n";
		if (head_bytes_max_ > 2048 && one_in(3)) {
			const size_t wanted = below(head_bytes_max_);
			while (text.size() < wanted)
				text += "X-" + word(3) + ": " + word(1 + below(std::min<size_t>(wanted, 5000))) + "\r\n";
			if (text.size() > head_bytes_max_)
				text = "Cookie: " + word(wanted) + "\r\n";
		}
		return text;
	}

	std::string body_bytes(size_t n)
	{
		static constexpr const char *kDecoys[] = {
			"GET / HTTP/1.1\r\nHost: decoy\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "0\r\n\r\n", "\r\n\r\n", "5\r\n", "\n"};
		std::string text;
		while (text.size() < n)
			text += one_in(2) ? kDecoys[below(std::size(kDecoys))] : word(1 + below(40));
		text.resize(n);
		return text;
	}

	Body make_body()
	{
		Body body;
		if (one_in(3))
			return {"Content-Length: 0\r\n", {}};
		if (one_in(2)) {
			const size_t n = one_in(4) ? below(9000) : 1 + below(60);
			body.fields = any_case("Content-Length") + ":" + std::string(below(3), ' ') + std::to_string(n) + "\r\n";
			body.parts.emplace_back(Part::kHidden, body_bytes(n));
			return body;
		}
		body.fields = any_case("Transfer-Encoding") + ": " + (one_in(3) ? "gzip, " : "") + any_case("chunked") + "\r\n";
		for (size_t chunks = below(6); chunks > 0; chunks--) {
			const size_t n = one_in(5) ? 1 + below(5000) : 1 + below(20);
			char size[32];
			snprintf(size, sizeof size, one_in(2) ? "%zx" : one_in(2) ? "%zX" : "000%zx", n);
			std::string line = size;
			if (one_in(4))
				line += ";" + word(3) + "=" + word(below(120));
			body.parts.emplace_back(Part::kShown, line + "\r\n");
			body.parts.emplace_back(Part::kHidden, body_bytes(n) + "\r\n");
		}
		std::string last = one_in(4) ? "000\r\n" : "0\r\n";
		for (size_t n = one_in(3) ? below(4) : 0; n > 0; n--)
			last += "X-Trailer-" + word(2) + ": " + word(below(100)) + "\r\n";
		body.parts.emplace_back(Part::kShown, last + "\r\n");
		return body;
	}

	void add(Sender sender, const std::string &head, const Body &body)
	{
		pieces_.push_back({sender, Part::kShown, head});
		for (const auto &[part, bytes] : body.parts)
			pieces_.push_back({sender, part, bytes});
		pieces_.back().ends_message = true;
	}

	std::string request_line(const std::string &method)
	{
		return method + " /" + word(one_in(8) ? below(3000) : below(90)) + " HTTP/1.1\r\nHost: example.org\r\n";
	}

	std::string method_with_body()
	{
		static constexpr const char *kMethods[] = {"POST", "PUT", "PATCH", "GET", "M-SEARCH", "HEADS", "X_", "DELETE"};
		return kMethods[below(std::size(kMethods))];
	}

	/* Returns whether the response will have no body whatever it says. */
	bool request()
	{
		const bool is_head = one_in(4);
		if (is_head || one_in(2)) {
			add(Sender::kClient, request_line(is_head ? "HEAD" : "GET") + other_fields() + "\r\n", {});
			return is_head;
		}
		const Body body = make_body();
		const std::string before = other_fields();
		add(Sender::kClient, request_line(method_with_body()) + before + body.fields + "\r\n", body);
		return false;
	}

	void response(bool to_head)
	{
		while (one_in(6))
			pieces_.push_back({Sender::kServer, Part::kShown,
					   one_in(2) ? "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" : "HTTP/1.1 102 \r\n\r\n", true});
		Body body = make_body();
		std::string status = "200 OK";
		if (one_in(6)) {
			status = one_in(2) ? "304 Not Modified" : "204 No Content";
			body.parts.clear();
		} else if (one_in(6)) {
			status = "404 " + word(below(100));
		}
		if (to_head)
			body.parts.clear();
		add(Sender::kServer,
		    "HTTP/1." + std::string(one_in(9) ? "0 " : "1 ") + status + "\r\n" + other_fields() + body.fields + "\r\n", body);
	}

	void exchange()
	{
		response(request());
	}

	void pipelined()
	{
		std::vector<bool> heads;
		for (size_t n = 2 + below(6); n > 0; n--)
			heads.push_back(request());
		for (const bool is_head : heads)
			response(is_head);
	}

	/* 100 Continue, or a final response while the request's body is still on its way. */
	void early_response()
	{
		const std::string body = body_bytes(2 + below(3000));
		const size_t first = 1 + below(body.size() - 1);
		pieces_.push_back(
			{Sender::kClient, Part::kShown,
			 request_line("POST") + "Expect: 100-continue\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n"});
		if (one_in(2)) {
			pieces_.push_back({Sender::kServer, Part::kShown, "HTTP/1.1 100 Continue\r\n\r\n", true});
			pieces_.push_back({Sender::kClient, Part::kHidden, body, true});
			response(false);
			return;
		}
		pieces_.push_back({Sender::kClient, Part::kHidden, body.substr(0, first)});
		response(false);
		pieces_.push_back({Sender::kClient, Part::kHidden, body.substr(first), true});
	}

	void until_close()
	{
		request_without_body("GET");
		pieces_.push_back({Sender::kServer, Part::kShown, "HTTP/1.0 200 OK\r\n" + other_fields() + "\r\n"});
		pieces_.push_back({Sender::kServer, Part::kHidden, body_bytes(below(3000) + 1)});
	}

	void request_without_body(const std::string &method, const std::string &fields = "")
	{
		add(Sender::kClient, request_line(method) + other_fields() + fields + "\r\n", {});
	}

	void opaque()
	{
		for (size_t n = below(4); n > 0; n--)
			pieces_.push_back({one_in(2) ? Sender::kClient : Sender::kServer, Part::kHidden, body_bytes(1 + below(500))});
	}

	void upgrade()
	{
		request_without_body("GET", "Connection: upgrade\r\nUpgrade: websocket\r\n");
		pieces_.push_back({Sender::kServer, Part::kShown, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", true});
		opaque();
	}

	void tunnel()
	{
		const std::string head = "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n" + other_fields();
		if (one_in(3)) {
			add(Sender::kClient, head + "\r\n", {});
			pieces_.push_back({Sender::kServer, Part::kShown, "HTTP/1.1 407 No\r\nContent-Length: 3\r\n\r\n"});
			pieces_.push_back({Sender::kServer, Part::kHidden, "0\r\n", true});
			exchange();
			return;
		}
		add(Sender::kClient, head + (one_in(3) ? "Content-Length: 40\r\n" : "") + "\r\n", {});
		pieces_.push_back({Sender::kServer, Part::kShown, "HTTP/1.1 200 Go on\r\nContent-Length: 3\r\n\r\n", true});
		opaque();
	}

	std::mt19937_64 random_;
	size_t head_bytes_max_ = 0;
	Conversation pieces_;
};

std::string printable(std::string_view text)
{
	std::string result;
	for (const char c : text.substr(0, 400))
		result += c == '\r' ? std::string("\\r") : c == '\n' ? std::string("\\n\n") : std::string(1, c);
	return result;
}

std::string to_text(const Conversation &conversation)
{
	std::string text;
	for (const Piece &piece : conversation)
		text += std::string(piece.sender == Sender::kClient ? "C" : "S") + (piece.part == Part::kShown ? " " : "~ ") +
			printable(piece.bytes) + "|\n";
	return text;
}

/* How a stream is cut into calls. */
enum class Cut { kOneByte, kSmall, kAny, kWhole };

/* Plays the conversation as socket calls and checks all that is promised. What one side sends in a row may share calls. */
void check(const Conversation &conversation, Cut cut, Author &random)
{
	const clew::protocols::http1::Http1 http;
	GuardedBytes seen_memory(1 << 18), whole_memory(1 << 18);
	Driver seen(http, true, seen_memory), whole(http, true, whole_memory);
	Kernel kernel(&seen);
	uint64_t sent[2] = {0, 0};
	uint64_t checked[2] = {0, 0};

	for (size_t i = 0; i < conversation.size();) {
		const Sender sender = conversation[i].sender;
		const int d = direction_of(sender);
		std::string turn;
		std::vector<Part> parts;
		std::vector<uint64_t> ends;
		for (; i < conversation.size() && conversation[i].sender == sender; i++) {
			turn += conversation[i].bytes;
			parts.resize(turn.size(), conversation[i].part);
			if (conversation[i].ends_message)
				ends.push_back(sent[d] + turn.size());
		}
		const uint64_t start = sent[d];
		for (size_t at = 0; at < turn.size();) {
			size_t n = turn.size() - at;
			if (cut == Cut::kOneByte)
				n = 1;
			else if (cut == Cut::kSmall)
				n = std::min<size_t>(n, 1 + random.below(20));
			else if (cut == Cut::kAny)
				n = std::min<size_t>(n, 1 + random.below(random.one_in(2) ? 100 : 3000));
			const std::string call = turn.substr(at, n);
			const uint32_t window = random.one_in(2) ? CLEW_WINDOW : 1 + static_cast<uint32_t>(random.below(CLEW_WINDOW));
			const framing_outcome outcome = kernel.call(sender, call, window, random.one_in(2) ? '\n' : 'A');
			whole.bytes(sender, call);
			at += n;
			sent[d] += n;
			ASSERT_FALSE(outcome.cut);
			ASSERT_FALSE(outcome.foreign) << "at " << start + at << " of " << turn.size() << " window " << window << " in\n"
						      << printable(turn.substr(at > 400 ? at - 400 : 0, 400)) << "\nof\n"
						      << to_text(conversation);
			ASSERT_EQ(kernel.violation(), "");
			for (const uint64_t end : ends)
				if (end <= sent[d]) {
					ASSERT_GE(kernel.told(sender), end) << "the end of a message is not told";
				}
		}
		for (; checked[d] < sent[d]; checked[d]++)
			ASSERT_EQ(kernel.is_shown(sender, checked[d]), parts[checked[d] - start] == Part::kShown)
				<< (sender == Sender::kClient ? "client" : "server") << " byte " << checked[d] << " of\n"
				<< to_text(conversation);
	}
	kernel.close();
	EXPECT_EQ(seen.finish(), whole.finish()) << "the strict parser says something else of what the kernel shows\n"
						 << to_text(conversation);
}

void check_many(uint64_t seeds, size_t head_bytes_max, std::initializer_list<Cut> cuts)
{
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		for (const Cut cut : cuts) {
			Author author(seed);
			const Conversation conversation = author.write(head_bytes_max);
			SCOPED_TRACE(testing::Message() << "seed " << seed << ", cut " << static_cast<int>(cut));
			check(conversation, cut, author);
			if (testing::Test::HasFailure())
				return;
		}
	}
}

TEST(Http1Framing, ShowsHeadsAndFramingOnceAndNoBodyHoweverCallsCutThem)
{
	check_many(1500, 1000, {Cut::kSmall, Cut::kAny, Cut::kWhole});
}

/* As long as it lives, framings look at the fields that matter for trace contexts. */
struct LookingAtFields {
	LookingAtFields()
	{
		framing_look_at_fields(true);
	}
	~LookingAtFields()
	{
		framing_look_at_fields(false);
	}
	LookingAtFields(const LookingAtFields &) = delete;
	LookingAtFields &operator=(const LookingAtFields &) = delete;
};

constexpr std::string_view kTraceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/* What is seen of a request with these lines, sent in one call. */
framing_head seen_in(std::string_view fields)
{
	const LookingAtFields looking;
	Kernel kernel;
	kernel.call(Sender::kClient, std::string("GET / HTTP/1.1\r\nHost: x\r\n") + std::string(fields) + "\r\n");
	EXPECT_EQ(kernel.heads(), 1U) << fields;
	return kernel.head();
}

TEST(Http1Fields, AreLookedAtWithoutADifferenceToWhatIsShown)
{
	const LookingAtFields looking;
	check_many(300, 1000, {Cut::kOneByte, Cut::kSmall, Cut::kAny, Cut::kWhole});
}

TEST(Http1Fields, ATraceparentIsSeenWhereverItStandsAndHoweverItIsWritten)
{
	const std::string field(kTraceparent);
	for (const std::string &line : {"traceparent: " + field, "TRACEPARENT:" + field, "TraceParent: " + field}) {
		for (const std::string &before : {std::string(), std::string("A: b\r\n"), "Cookie: " + std::string(3000, 'c') + "\r\n"}) {
			const framing_head head = seen_in(before + line + "\r\nC: d\r\n");
			EXPECT_EQ(head.seen, 1) << line;
			EXPECT_EQ(std::string_view(head.traceparent, kTraceparent.size()), kTraceparent);
			const size_t fields_at = std::string_view("GET / HTTP/1.1\r\nHost: x\r\n").size();
			EXPECT_EQ(head.traceparent_at, fields_at + before.size() + line.size() - field.size());
		}
	}
}

TEST(Http1Fields, AContextThatIsNotUnderstoodIsOneAllTheSame)
{
	const std::string field(kTraceparent);
	for (const std::string &lines :
	     {"traceparent: " + field + "\r\ntraceparent: " + field, "traceparent:  " + field, "traceparent: " + field + "-x",
	      std::string("traceparent: 00"), std::string("b3: 1"), std::string("B3: 1"), std::string("X-B3-TraceId: 1"),
	      std::string("x-b3-sampled:1"), std::string("uber-trace-id: 1:2:3:4"), std::string("X-Amzn-Trace-Id: Root=1"),
	      std::string("x-datadog-trace-id: 1")})
		EXPECT_NE(seen_in(lines + "\r\n").seen & 2, 0) << lines;
}

TEST(Http1Fields, OfOtherFieldsNothingIsSeen)
{
	for (const std::string_view line :
	     {"b3x: 1", "x-forwarded-for: 1", "upgrade-insecure-requests: 1", "Content-Type: a/b", "Content-Length: 0",
	      "Transfer-Encoding: chunked", "TE: trailers", "X: y", "Connection: close", "User-Agent: u"}) {
		const uint8_t seen = seen_in(std::string(line) + "\r\n").seen & ~(line.starts_with("b3x") ? 2 : 0);
		EXPECT_EQ(seen, 0) << line;
	}
}

TEST(Http1Fields, WhatTwoParsersMayReadInTwoWaysIsOdd)
{
	for (const std::string_view lines :
	     {"Content-Length: 1\r\nContent-Length: 2", "Content-Length: 5\r\nTransfer-Encoding: chunked",
	      "Transfer-Encoding: chunked\r\nContent-Length: 5", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding : chunked",
	      "Content-Length : 5", "Content-Length: x", "Content-Length: 5, 10", "Content-Length: 5x", "Content-Length: 5 5",
	      "Content-Length: +5", "A: b\r\n folded", "A: b\r\n\tfolded"})
		EXPECT_NE(seen_in(std::string(lines) + "\r\n").seen & 8, 0) << lines;
	EXPECT_EQ(seen_in("Upgrade: websocket\r\n").seen, 4);
}

TEST(Http1Fields, CutAnywhereOnlyTheTraceparentThatIsCutIsNotUnderstood)
{
	const LookingAtFields looking;
	const std::string before = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n";
	const std::string line = "traceparent: " + std::string(kTraceparent) + "\r\n";
	const std::string request = before + line + "\r\nabc";
	for (size_t cut = 1; cut < request.size(); cut++) {
		Kernel kernel;
		kernel.call(Sender::kClient, std::string_view(request).substr(0, cut));
		kernel.call(Sender::kClient, std::string_view(request).substr(cut));
		ASSERT_EQ(kernel.heads(), 1U);
		const bool within = cut > before.size() && cut < before.size() + line.size();
		EXPECT_EQ(kernel.head().seen, within ? 2 | 32 : 1) << "cut at " << cut;
		EXPECT_EQ(kernel.head().begins, 0U);
	}
}

TEST(Http1Fields, AreCountedHoweverTheyAreCut)
{
	const LookingAtFields looking;
	std::mt19937 random(5);
	for (int round = 0; round < 300; round++) {
		const size_t fields = random() % 300;
		std::string request = "GET /a HTTP/1.1\r\n";
		for (size_t i = 0; i < fields; i++)
			request += std::string(1 + random() % 20, "abctux"[random() % 6]) + ": " + std::string(random() % 90, 'v') +
				   (random() % 4 ? "\r\n" : "\n");
		request += "\r\n";
		Kernel kernel;
		for (size_t at = 0; at < request.size();) {
			const size_t n = random() % 3 ? request.size() - at : 1 + random() % 200;
			kernel.call(Sender::kClient, std::string_view(request).substr(at, n), 1 + random() % 1024);
			at += n;
		}
		ASSERT_EQ(kernel.heads(), 1U);
		EXPECT_EQ(kernel.head().fields, std::min<size_t>(fields, 255));
	}
}

TEST(Http1Framing, OneBytePerCallMakesNoDifference)
{
	check_many(300, 1000, {Cut::kOneByte});
}

TEST(Http1Framing, HeadsUpTo64KiBGoOverAnyNumberOfWindows)
{
	check_many(200, 60000, {Cut::kAny, Cut::kWhole});
}

TEST(Http1Framing, ACutAtAnyByteMakesNoDifference)
{
	const Conversation conversation = {
		{Sender::kClient, Part::kShown, "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"},
		{Sender::kClient, Part::kHidden, "G\nT /\r\n"},
		{Sender::kClient, Part::kShown, "0\r\nX-A: b\r\n\r\n", true},
		{Sender::kClient, Part::kShown, "\r\nHEAD /b HTTP/1.1\r\nHost: a\r\n\r\n", true},
		{Sender::kServer, Part::kShown, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"},
		{Sender::kServer, Part::kHidden, "\r\n\r\n", true},
		{Sender::kServer, Part::kShown, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", true},
	};
	std::string bytes[2];
	for (const Piece &piece : conversation)
		bytes[direction_of(piece.sender)] += piece.bytes;
	for (size_t client = 1; client < bytes[CLEW_INGRESS].size(); client++) {
		for (size_t server = 1; server < bytes[CLEW_EGRESS].size(); server++) {
			Kernel kernel;
			kernel.call(Sender::kClient, bytes[CLEW_INGRESS].substr(0, client));
			kernel.call(Sender::kClient, bytes[CLEW_INGRESS].substr(client));
			kernel.call(Sender::kServer, bytes[CLEW_EGRESS].substr(0, server));
			kernel.call(Sender::kServer, bytes[CLEW_EGRESS].substr(server));
			ASSERT_EQ(kernel.violation(), "");
			for (const Sender sender : {Sender::kClient, Sender::kServer}) {
				std::string expected;
				for (const Piece &piece : conversation)
					if (piece.sender == sender && piece.part == Part::kShown)
						expected += piece.bytes;
				ASSERT_EQ(kernel.shown(sender), expected) << "cut at " << client << " and " << server;
				ASSERT_EQ(kernel.told(sender), bytes[direction_of(sender)].size());
			}
		}
	}
}

TEST(Http1Framing, WhatIsNotHttpIsNotShown)
{
	using namespace std::string_literals;
	for (const std::string &bytes :
	     {"*2\r\n$3\r\nGET\r\n$1\r\na\r\n"s, "SET key value\r\n"s, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s,
	      "\x00\x00\x00\x08\x04\xd2\x16\x2f"s, "GET / HTTP/0.9\r\n"s, "GET /\r\n"s, "SSH-2.0-OpenSSH_9.2\r\n"s, "{\"a\": 1}\n"s,
	      "HTTP/1.1 OK\r\n"s, "HTTP/2 200\r\n"s, "\n\n\x01 secret"s, "\r\r\n"s}) {
		Kernel kernel;
		EXPECT_TRUE(kernel.call(Sender::kClient, bytes).foreign) << bytes;
		const std::string shown = kernel.shown(Sender::kClient);
		EXPECT_EQ(shown.find_first_not_of("\r\n"), std::string::npos) << "shown: " << shown;
	}
}

/* With the bytes of each that are shown. */
std::vector<std::pair<std::string, size_t>> proxy_headers()
{
	using namespace std::string_literals;
	const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;
	const std::string longest = "PROXY TCP6 " + std::string(39, 'f') + " " + std::string(39, 'f') + " 65535 65535\r\n";
	return {{"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", 42},
		{longest, longest.size()},
		{"PROXY UNKNOWN\r\n", 15},
		{signature + "\x21\x11\0\x0c"s + std::string(12, '\n'), 16},
		{signature + "\x20\0\0\0"s, 16},
		{signature + "\x21\x21\x01\x2c"s + std::string(300, 'a'), 16}};
}

TEST(Http1Framing, AProxysHeaderIsPassedOverHoweverCallsCutItFromTheRequest)
{
	const std::string request = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", body = "abc";
	const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	for (const auto &[header, shown] : proxy_headers()) {
		const clew::protocols::ProxyHeader found = clew::protocols::find_proxy_header(header);
		EXPECT_EQ(found.shown, shown) << "user space takes another part of it for shown";
		EXPECT_EQ(found.shown + found.hidden, header.size());
		const std::string all = header + request + body;
		/* its line may be cut anywhere; the block's first bytes come in one piece */
		for (size_t cut = header[0] == 'P' ? 1 : 16; cut < all.size(); cut++) {
			Kernel kernel;
			EXPECT_FALSE(kernel.call(Sender::kClient, all.substr(0, cut)).foreign) << "cut at " << cut;
			EXPECT_FALSE(kernel.call(Sender::kClient, all.substr(cut)).foreign) << "cut at " << cut;
			EXPECT_FALSE(kernel.call(Sender::kServer, response).foreign);
			ASSERT_EQ(kernel.violation(), "");
			ASSERT_EQ(kernel.shown(Sender::kClient), header.substr(0, shown) + request) << "cut at " << cut;
			ASSERT_EQ(kernel.told(Sender::kClient), all.size());
			ASSERT_EQ(kernel.shown(Sender::kServer), response);
		}
	}
}

TEST(Http1Framing, BehindAProxysHeaderOtherProtocolsAreNotShown)
{
	for (const auto &[header, shown] : proxy_headers()) {
		for (const bool at_once : {false, true}) {
			Kernel kernel;
			const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
			if (!at_once)
				kernel.call(Sender::kClient, header);
			EXPECT_TRUE(kernel.call(Sender::kClient, (at_once ? header : "") + hello).foreign);
			kernel.call(Sender::kClient, "GET / HTTP/1.1\r\n");
			EXPECT_EQ(kernel.shown(Sender::kClient), header.substr(0, shown)) << "it is given up for good";
		}
	}
}

TEST(Http1Framing, AProxysHeaderIsTheFirstThingOrNone)
{
	for (const auto &[header, shown] : proxy_headers()) {
		Kernel twice, later, joined;
		twice.call(Sender::kClient, header);
		EXPECT_TRUE(twice.call(Sender::kClient, header).foreign);
		later.call(Sender::kClient, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
		EXPECT_TRUE(later.call(Sender::kClient, header).foreign);
		joined.join({});
		EXPECT_TRUE(joined.call(Sender::kClient, header).foreign);
	}
}

TEST(Http1Framing, BytesThatMayStillBecomeAStartLineAreShownUntilTheyCannot)
{
	Kernel kernel;
	EXPECT_FALSE(kernel.call(Sender::kClient, "GET ").foreign);
	EXPECT_TRUE(kernel.call(Sender::kClient, "key\r\nsecret\r\n").foreign);
	EXPECT_EQ(kernel.shown(Sender::kClient), "GET ");
	EXPECT_EQ(kernel.told(Sender::kClient), 17u) << "user space is told of what it is not shown";
}

TEST(Http1Framing, RandomBytesAreNeverShownForLong)
{
	std::mt19937_64 random(1);
	size_t shown = 0, sent = 0;
	for (int i = 0; i < 2000; i++) {
		Kernel kernel;
		std::string bytes(200 + random() % 2000, '\0');
		for (char &c : bytes)
			c = static_cast<char>(random());
		for (size_t at = 0; at < bytes.size();) {
			const size_t n = std::min<size_t>(bytes.size() - at, 50 + random() % 300);
			kernel.call(Sender::kClient, bytes.substr(at, n));
			at += n;
		}
		ASSERT_EQ(kernel.violation(), "");
		shown += kernel.shown(Sender::kClient).size();
		sent += bytes.size();
	}
	EXPECT_LT(shown * 200, sent);
}

TEST(Http1Framing, AResponseWithoutRequestDoesNotShiftThoseThatFollow)
{
	Kernel kernel;
	kernel.call(Sender::kServer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"); // its request came before clew
	kernel.call(Sender::kClient, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
	kernel.call(Sender::kServer, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	kernel.call(Sender::kClient, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	const std::string last = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
	kernel.call(Sender::kServer, last);
	const std::string shown = kernel.shown(Sender::kServer);
	EXPECT_TRUE(shown.ends_with(last)) << shown;
}

const std::string kGet = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kHead = "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kNoContent = "HTTP/1.1 204 No Content\r\n\r\n";
const std::string kLarge = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";

TEST(Http1Framing, WhatLooksLikeAHeadInADistrustedDirectionIsNotShown)
{
	for (const Sender sender : {Sender::kClient, Sender::kServer}) {
		Kernel kernel;
		kernel.join({sender});
		for (const std::string &head : {kGet, kNoContent, kGet}) {
			EXPECT_TRUE(kernel.call(sender, head).foreign) << head;
			EXPECT_EQ(kernel.shown(sender), "");
		}
		EXPECT_EQ(kernel.violation(), "");
	}
}

TEST(Http1Framing, BytesInTheOtherDirectionEndTheDistrust)
{
	Kernel kernel;
	kernel.join({Sender::kClient});
	kernel.call(Sender::kClient, kGet); /* of a body that is being sent */
	kernel.call(Sender::kServer, kNoContent);
	EXPECT_EQ(kernel.shown(Sender::kServer), kNoContent);
	EXPECT_FALSE(kernel.call(Sender::kClient, kGet).foreign);
	EXPECT_EQ(kernel.shown(Sender::kClient), kGet);
}

TEST(Http1Framing, BytesOfAnyKindInTheOtherDirectionEndTheDistrust)
{
	Kernel kernel;
	kernel.join({Sender::kServer});
	kernel.call(Sender::kServer, kNoContent);
	EXPECT_TRUE(kernel.skip(Sender::kClient, 10));
	kernel.call(Sender::kServer, kNoContent);
	EXPECT_EQ(kernel.shown(Sender::kServer), kNoContent);
}

TEST(Http1Framing, DistrustOfOneDirectionIsNoneOfTheOther)
{
	Kernel kernel;
	kernel.join({Sender::kServer});
	EXPECT_FALSE(kernel.call(Sender::kClient, kGet).foreign);
	kernel.call(Sender::kServer, kLarge);
	EXPECT_EQ(kernel.shown(Sender::kClient), kGet);
	EXPECT_EQ(kernel.shown(Sender::kServer), kLarge);
}

TEST(Http1Framing, BothDirectionsMayBeDistrustedUntilEachHasBeenFollowedByTheOther)
{
	Kernel kernel;
	kernel.join({Sender::kClient, Sender::kServer});
	EXPECT_TRUE(kernel.call(Sender::kServer, kNoContent).foreign) << "nothing has moved in the other direction";
	EXPECT_FALSE(kernel.call(Sender::kClient, kGet).foreign) << "the server has moved bytes";
	EXPECT_FALSE(kernel.call(Sender::kServer, kNoContent).foreign) << "the client has moved bytes";
}

TEST(Http1Framing, NoPartOfALineIsShownInADistrustedDirection)
{
	const std::string line = "GET /secret HTTP/1.1\r\n";
	for (size_t cut = 1; cut < line.size(); cut++) {
		Kernel kernel;
		kernel.join({Sender::kClient});
		kernel.call(Sender::kClient, line.substr(0, cut));
		kernel.call(Sender::kClient, line.substr(cut) + "Cookie: secret\r\n\r\n");
		EXPECT_EQ(kernel.shown(Sender::kClient).find_first_not_of("\r\n"), std::string::npos) << "cut at " << cut;
	}
}

TEST(Http1Framing, HalfALineFromADistrustedTimeIsNoBeginningOfALineLater)
{
	Kernel kernel;
	kernel.join({Sender::kClient});
	kernel.call(Sender::kClient, "GET /wit");
	kernel.call(Sender::kServer, kNoContent);
	kernel.call(Sender::kClient, kGet);
	EXPECT_EQ(kernel.shown(Sender::kClient), kGet);
	EXPECT_EQ(kernel.violation(), "");
}

TEST(Http1Framing, ALineInADistrustedDirectionIsNeverShownToItsEndNorWhatFollows)
{
	const std::string line = "GET /within HTTP/1.1\r\n";
	for (size_t cut = 1; cut < line.size(); cut++) {
		Kernel kernel;
		kernel.join({Sender::kClient});
		kernel.call(Sender::kClient, line.substr(0, cut));
		EXPECT_TRUE(kernel.call(Sender::kClient, line.substr(cut) + "Cookie: secret\r\n\r\n").foreign);
		EXPECT_EQ(kernel.shown(Sender::kClient).find("secret"), std::string::npos) << "cut at " << cut;
	}
}

TEST(Http1Framing, JoinedWithoutDistrustTheFirstHeadIsShown)
{
	for (const std::string &head : {kGet, kNoContent}) {
		Kernel kernel;
		kernel.join({});
		EXPECT_FALSE(kernel.call(Sender::kServer, head).foreign);
		EXPECT_EQ(kernel.shown(Sender::kServer), head);
	}
}

TEST(Http1Framing, ABodyThatNeverComesAfterAJoinedHeadEndsWithTheNextRequest)
{
	Kernel kernel;
	kernel.join({}); /* between HEAD and its response */
	kernel.call(Sender::kServer, kLarge);
	kernel.call(Sender::kClient, kGet);
	kernel.call(Sender::kServer, kNoContent);
	EXPECT_EQ(kernel.shown(Sender::kServer), kLarge + kNoContent);
	kernel.call(Sender::kClient, kHead);
	kernel.call(Sender::kServer, kLarge);
	kernel.call(Sender::kServer, kNoContent);
	EXPECT_EQ(kernel.shown(Sender::kServer), kLarge + kNoContent + kLarge + kNoContent) << "HEAD is known by now";
}

TEST(Http1Framing, ABodyUnderWayIsNotEndedByAPipelinedRequest)
{
	Kernel kernel;
	kernel.call(Sender::kClient, kGet);
	kernel.call(Sender::kServer, "HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n");
	const std::string shown = kernel.shown(Sender::kServer);
	kernel.call(Sender::kClient, kGet + kGet);
	kernel.call(Sender::kServer, kNoContent); /* of the body */
	EXPECT_EQ(kernel.shown(Sender::kServer), shown);
}

TEST(Http1Framing, AConnectionThatBeginsWithSomethingElseIsNeverShownAgain)
{
	for (const std::string &first : {std::string("*1\r\n$4\r\nPING\r\n"), std::string("\x16\x03\x01\x02", 4)}) {
		Kernel kernel;
		EXPECT_TRUE(kernel.call(Sender::kClient, first).foreign);
		for (int i = 0; i < 3; i++) {
			kernel.call(Sender::kClient, kGet);
			kernel.call(Sender::kServer, kNoContent);
		}
		EXPECT_EQ(kernel.shown(Sender::kClient), "");
		EXPECT_EQ(kernel.shown(Sender::kServer), "");
	}
}

TEST(Http1Framing, AServerThatSpeaksFirstAndNotHttpIsNeverShownAgain)
{
	Kernel kernel;
	EXPECT_TRUE(kernel.call(Sender::kServer, "220 mail.example.org ready\r\n").foreign);
	kernel.call(Sender::kClient, kGet);
	kernel.call(Sender::kServer, kNoContent);
	EXPECT_EQ(kernel.shown(Sender::kClient) + kernel.shown(Sender::kServer), "");
}

TEST(Http1Framing, AConnectionThatBeginsWithARequestIsFollowedWhateverComesBetween)
{
	Kernel kernel;
	kernel.call(Sender::kClient, kGet);
	EXPECT_TRUE(kernel.call(Sender::kServer, "no response\r\n").foreign);
	EXPECT_TRUE(kernel.call(Sender::kClient, "no request\r\n").foreign);
	EXPECT_FALSE(kernel.call(Sender::kClient, kGet).foreign);
	EXPECT_FALSE(kernel.call(Sender::kServer, kNoContent).foreign);
	EXPECT_EQ(kernel.shown(Sender::kClient), kGet + kGet);
}

TEST(Http1Framing, AJoinedConnectionIsFollowedWhateverItsFirstCallHeld)
{
	Kernel kernel;
	kernel.join({});
	EXPECT_TRUE(kernel.call(Sender::kClient, "the rest of a body\r\n").foreign);
	EXPECT_TRUE(kernel.call(Sender::kServer, "the rest of a body\r\n").foreign);
	kernel.call(Sender::kClient, kGet);
	kernel.call(Sender::kServer, kNoContent);
	EXPECT_EQ(kernel.shown(Sender::kClient), kGet);
	EXPECT_EQ(kernel.shown(Sender::kServer), kNoContent);
}

TEST(Http1Framing, BytesUnseenWithinAKnownBodyLoseNothing)
{
	Kernel kernel;
	kernel.call(Sender::kClient, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	kernel.call(Sender::kServer, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
	EXPECT_TRUE(kernel.skip(Sender::kServer, 4000));
	const uint64_t before = kernel.told(Sender::kServer);
	EXPECT_TRUE(kernel.skip(Sender::kServer, 1000));
	EXPECT_EQ(kernel.told(Sender::kServer), before + 5000) << "the end of the message is told";
	EXPECT_FALSE(kernel.call(Sender::kServer, "HTTP/1.1 200 OK\r\n").foreign);
}

TEST(Http1Framing, BytesUnseenWithinAHeadLoseTheFraming)
{
	Kernel kernel;
	kernel.call(Sender::kClient, "GET / HTTP/1.1\r\nHost: a\r\n");
	EXPECT_FALSE(kernel.skip(Sender::kClient, 10));
	EXPECT_TRUE(kernel.call(Sender::kClient, "X-A: b\r\n\r\n").foreign);
	EXPECT_TRUE(kernel.call(Sender::kClient, "GET / HTTP/1.1\r\n").foreign) << "it may be of a body whose head is among those bytes";
	kernel.call(Sender::kServer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	EXPECT_FALSE(kernel.call(Sender::kClient, "GET / HTTP/1.1\r\n").foreign);
}

TEST(Http1Framing, BytesUnseenAtAMessageStartMayBeAHeadWhoseBodyFollows)
{
	Kernel kernel;
	kernel.call(Sender::kClient, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	kernel.call(Sender::kServer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	kernel.skip(Sender::kClient, 80);
	EXPECT_TRUE(kernel.call(Sender::kClient, "GET /body HTTP/1.1\r\nHost: a\r\n\r\n").foreign);
	kernel.call(Sender::kServer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	EXPECT_FALSE(kernel.call(Sender::kClient, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n").foreign);
}

TEST(Http1Framing, ACallOfMoreLinesThanTheBoundIsCutAndSaysSo)
{
	std::string chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
	for (int i = 0; i < 40000; i++)
		chunks += "1\r\nx\r\n";
	Kernel kernel;
	EXPECT_TRUE(kernel.call(Sender::kClient, chunks).cut);
	EXPECT_EQ(kernel.violation(), "");
	EXPECT_EQ(kernel.told(Sender::kClient), chunks.size());
	EXPECT_FALSE(kernel.call(Sender::kClient, "GET / HTTP/1.1\r\n").foreign) << "the next call may begin a message";
}

TEST(Http1Framing, NoLineIsShownWithoutBound)
{
	for (const char *beginning : {"GET /", "GET / HTTP/1.1\r\nX: ", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;",
				      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "}) {
		Kernel kernel;
		kernel.call(Sender::kClient, beginning);
		for (int i = 0; i < 1000; i++)
			kernel.call(Sender::kClient, std::string(1000, 'x'));
		EXPECT_EQ(kernel.violation(), "");
		EXPECT_LT(kernel.shown(Sender::kClient).size(), 70000u) << beginning;
	}
}

TEST(Http1Framing, NoTrailerIsShownWithoutBound)
{
	Kernel kernel;
	kernel.call(Sender::kClient, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
	for (int i = 0; i < 10000; i++)
		kernel.call(Sender::kClient, "X-Trailer: of a thousand\r\n");
	EXPECT_LT(kernel.shown(Sender::kClient).size(), 70000u);
}

} // namespace
