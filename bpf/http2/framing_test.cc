/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's framing of HTTP/2 against conversations whose framing is known, and against the strict parser of user space. */
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
#include "protocols/http2/frame.h"
#include "protocols/http2/http2.h"
#include "protocols/testing/driver.h"

namespace
{

using namespace clew::protocols::http2; // NOLINT(google-build-using-namespace): a test of its constants
using clew::protocols::Protocol;
using clew::protocols::Sender;
using clew::protocols::testing::Driver;
using clew::protocols::testing::GuardedBytes;
using clew::protocols::testing::Transcript;

constexpr char kBody = 'B';

std::string frame(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload = {})
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

std::string request(uint32_t stream, bool ends)
{
	return frame(FrameType::kHeaders, static_cast<uint8_t>(kEndHeaders | (ends ? kEndStream : 0)), stream,
		     ends ? std::string_view("\x82\x86\x84\x41\x01h") : std::string_view("\x83\x86\x84\x41\x01h"));
}

std::string response(uint32_t stream)
{
	return frame(FrameType::kHeaders, kEndHeaders, stream, "\x88");
}

std::string data(uint32_t stream, size_t size, bool ends, bool padded = false)
{
	std::string payload(size, kBody);
	if (padded)
		payload = std::string(1, '\3') + payload + std::string(3, '\0');
	return frame(FrameType::kData, static_cast<uint8_t>((ends ? kEndStream : 0) | (padded ? kPadded : 0)), stream, payload);
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

	framing_outcome call(Sender sender, std::string_view bytes, uint32_t window = CLEW_WINDOW)
	{
		stream(sender).sent += bytes;
		return framing_call(framing_, direction_of(sender), reinterpret_cast<const uint8_t *>(bytes.data()),
				    static_cast<uint32_t>(bytes.size()), window, 0x41);
	}
	bool skip(Sender sender, std::string_view bytes)
	{
		stream(sender).sent += bytes;
		return framing_skip(framing_, direction_of(sender), bytes.size());
	}
	void join()
	{
		framing_join(framing_, 0);
	}
	bool is_http2() const
	{
		return framing_is_http2(framing_);
	}
	/* The bytes that were captured, one after the other. */
	const std::string &shown(Sender sender)
	{
		return stream(sender).shown;
	}
	uint64_t told(Sender sender)
	{
		return stream(sender).told;
	}
	size_t events = 0;
	size_t beginnings = 0; /* of them that are said to begin with a frame */

      private:
	struct Stream {
		std::string sent, shown;
		uint64_t told = 0;
	};

	static int direction_of(Sender sender)
	{
		return sender == Sender::kClient ? CLEW_INGRESS : CLEW_EGRESS;
	}
	Stream &stream(Sender sender)
	{
		return streams_[direction_of(sender)];
	}
	static void sink(void *self, int direction, uint64_t position, const uint8_t *bytes, uint32_t length, uint64_t advanced_to)
	{
		static_cast<Kernel *>(self)->take(direction, position, {reinterpret_cast<const char *>(bytes), length}, advanced_to);
	}
	void take(int direction, uint64_t position, std::string_view bytes, uint64_t advanced_to)
	{
		const Sender sender = direction == CLEW_INGRESS ? Sender::kClient : Sender::kServer;
		Stream &s = streams_[direction];

		events++;
		if (framing_begins(framing_)) {
			beginnings++;
			EXPECT_EQ(bytes.empty() ? 'x' : bytes[0], '\0') << "a frame of less than 64 KiB";
		}
		ASSERT_GE(position, s.told);
		ASSERT_LE(position + bytes.size(), advanced_to);
		ASSERT_LE(position + bytes.size(), s.sent.size());
		for (size_t i = 0; i < bytes.size(); i++) {
			const char sent = s.sent[position + i];
			ASSERT_TRUE(bytes[i] == sent || (sent == kBody && bytes[i] == '\0')) << "byte " << position + i;
		}
		s.shown += bytes;
		if (driver_ && position > s.told)
			driver_->lost(sender, position - s.told);
		if (driver_)
			driver_->bytes(sender, bytes);
		if (driver_ && advanced_to > position + bytes.size())
			driver_->lost(sender, advanced_to - position - bytes.size());
		s.told = std::max(s.told, advanced_to);
	}

	Driver *driver_;
	framing *framing_;
	Stream streams_[2];
};

struct Turn {
	Sender sender;
	std::string bytes;
};

/* Streams that come and go, with everything that HTTP/2 sends between. */
std::vector<Turn> conversation(std::mt19937 &random)
{
	std::vector<Turn> turns;
	const auto roll = [&](unsigned sides) { return static_cast<unsigned>(random() % sides); };
	const std::string settings = frame(FrameType::kSettings, 0, 0, roll(2) ? std::string("\0\3\0\0\0\x64", 6) : std::string());
	turns.push_back({Sender::kClient, std::string(kPreface) + settings});
	turns.push_back({Sender::kServer, settings + frame(FrameType::kSettings, kAck, 0)});
	uint32_t next = 1;
	std::vector<uint32_t> open;
	for (int i = 0; i < 30; i++) {
		std::string bytes;
		if (roll(2)) {
			for (unsigned n = 1 + roll(4); n > 0; n--, next += 2) {
				const bool has_body = roll(2);
				bytes += request(next, !has_body);
				if (has_body)
					bytes += data(next, roll(3) ? roll(100) : roll(5000), false, roll(4) == 0) +
						 data(next, roll(2), true);
				open.push_back(next);
			}
			if (roll(3) == 0)
				bytes += frame(FrameType::kWindowUpdate, 0, 0, std::string("\0\0\1\0", 4));
			turns.push_back({Sender::kClient, bytes});
			continue;
		}
		for (unsigned n = roll(4); n > 0 && !open.empty(); n--) {
			const uint32_t stream = open[roll(static_cast<unsigned>(open.size()))];
			std::erase(open, stream);
			bytes += response(stream) + data(stream, roll(3) ? roll(80) : roll(4000), false, roll(5) == 0);
			bytes += roll(2) ? data(stream, roll(30), true)
					 : frame(FrameType::kHeaders, kEndHeaders | kEndStream, stream, std::string("\0\1a\1b", 5));
		}
		bytes += frame(FrameType::kPing, 0, 0, "pingpong") +
			 frame(static_cast<FrameType>(0x50), 0xff, 9, std::string(roll(200), kBody));
		turns.push_back({Sender::kServer, bytes});
	}
	return turns;
}

Transcript said_of_all(const Protocol &protocol, const std::vector<Turn> &turns)
{
	GuardedBytes memory(size_t{1} << 20);
	Driver driver(protocol, true, memory);
	for (const Turn &turn : turns)
		driver.bytes(turn.sender, turn.bytes);
	return driver.finish();
}

TEST(Http2Framing, UserSpaceSaysTheSameOfWhatItIsShownAsOfAll)
{
	const Http2 protocol;
	std::mt19937 random(11);
	GuardedBytes memory(size_t{1} << 20);
	for (int round = 0; round < 300; round++) {
		const std::vector<Turn> turns = conversation(random);
		const Transcript all = said_of_all(protocol, turns);
		ASSERT_EQ(all.violation, "");
		ASSERT_GT(all.client.size(), 5u);
		Driver driver(protocol, true, memory);
		Kernel kernel(&driver);
		const uint32_t window = round % 3 ? CLEW_WINDOW : 1 + random() % CLEW_WINDOW;
		for (const Turn &turn : turns) {
			for (std::string_view rest = turn.bytes; !rest.empty();) {
				const size_t n = round % 2 ? rest.size() : 1 + random() % rest.size();
				EXPECT_FALSE(kernel.call(turn.sender, rest.substr(0, n), window).foreign);
				rest.remove_prefix(n);
			}
		}
		const Transcript shown = driver.finish();
		ASSERT_EQ(shown.client, all.client) << "round " << round;
		ASSERT_EQ(shown.server, all.server) << "round " << round;
		ASSERT_EQ(shown.exchanges, all.exchanges) << "round " << round;
		const std::string some(3, kBody); /* one may be of a header */
		ASSERT_EQ(kernel.shown(Sender::kClient).find(some), std::string::npos) << "bytes of a body";
		ASSERT_EQ(kernel.shown(Sender::kServer).find(some), std::string::npos) << "bytes of a body";
	}
}

Kernel &begun(Kernel &kernel)
{
	kernel.call(Sender::kClient, std::string(kPreface) + frame(FrameType::kSettings, 0, 0));
	kernel.call(Sender::kServer, frame(FrameType::kSettings, 0, 0));
	return kernel;
}

TEST(Http2Framing, ThePrefaceMayComeInAnyPieces)
{
	const std::string bytes = std::string(kPreface) + frame(FrameType::kSettings, 0, 0) + request(1, true);
	for (size_t cut = 1; cut < bytes.size(); cut++) {
		Kernel kernel;
		kernel.call(Sender::kClient, bytes.substr(0, cut));
		kernel.call(Sender::kClient, bytes.substr(cut));
		ASSERT_TRUE(kernel.is_http2()) << "cut at " << cut;
		ASSERT_EQ(kernel.shown(Sender::kClient), bytes) << "cut at " << cut;
	}
}

TEST(Http2Framing, TheServersSettingsMayComeFirst)
{
	Kernel kernel;
	kernel.call(Sender::kServer, frame(FrameType::kSettings, 0, 0));
	EXPECT_TRUE(kernel.is_http2());
	const std::string client = std::string(kPreface) + frame(FrameType::kSettings, 0, 0) + request(1, true);
	kernel.call(Sender::kClient, client);
	EXPECT_EQ(kernel.shown(Sender::kClient), client);
}

TEST(Http2Framing, ManySmallAnswersAreOneEvent)
{
	Kernel kernel;
	begun(kernel);
	const size_t before = kernel.events;
	std::string answers;
	for (uint32_t stream = 1; stream < 40; stream += 2)
		answers += response(stream) + data(stream, 12, true);
	ASSERT_LT(answers.size(), size_t{CLEW_WINDOW});
	kernel.call(Sender::kServer, answers);
	EXPECT_EQ(kernel.events, before + 1);
}

TEST(Http2Framing, AnUpgradeIsFollowedAndAnotherIsNot)
{
	const std::string ask =
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
	const std::string granted = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
	const std::string settings = frame(FrameType::kSettings, 0, 0);
	const std::string client = std::string(kPreface) + settings + request(3, true);
	for (const bool together : {true, false}) {
		for (const bool client_first : {false, true}) {
			Kernel kernel;
			kernel.call(Sender::kClient, ask);
			kernel.call(Sender::kServer, granted + (together ? settings : std::string()));
			if (client_first)
				kernel.call(Sender::kClient, client);
			if (!together)
				kernel.call(Sender::kServer, settings);
			if (!client_first)
				kernel.call(Sender::kClient, client);
			kernel.call(Sender::kServer, response(1) + data(1, 3000, true));
			EXPECT_TRUE(kernel.is_http2());
			EXPECT_EQ(kernel.shown(Sender::kClient), ask + client);
			EXPECT_EQ(kernel.shown(Sender::kServer), granted + settings + response(1) + data(1, 3000, true).substr(0, 9));
		}
	}
	Kernel kernel;
	kernel.call(Sender::kClient, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	kernel.call(Sender::kServer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
	kernel.call(Sender::kClient, std::string("\x82\x05hello", 7));
	kernel.call(Sender::kClient, settings);
	EXPECT_FALSE(kernel.is_http2());
}

TEST(Http2Framing, InTheMiddleItIsKnownByFrames)
{
	Kernel kernel;
	kernel.join();
	EXPECT_TRUE(kernel.call(Sender::kServer, std::string(5000, kBody)).foreign) << "in the middle of a payload";
	EXPECT_FALSE(kernel.is_http2());
	kernel.call(Sender::kClient, request(41, true));
	EXPECT_TRUE(kernel.is_http2());
	EXPECT_EQ(kernel.shown(Sender::kClient), request(41, true));
	EXPECT_EQ(kernel.beginnings, 1u);
	EXPECT_TRUE(kernel.call(Sender::kServer, std::string(5000, kBody)).foreign) << "that direction is not found yet";
	EXPECT_EQ(kernel.shown(Sender::kServer), "");
	kernel.call(Sender::kServer, response(41) + data(41, 100, true));
	EXPECT_EQ(kernel.shown(Sender::kServer), response(41) + data(41, 100, true).substr(0, 9));
	EXPECT_EQ(kernel.beginnings, 2u);
}

TEST(Http2Framing, AHeaderReadByItselfIsOneWhereTheOtherDirectionHasFrames)
{
	const std::string whole = request(43, true);
	Kernel kernel;
	kernel.join();
	kernel.call(Sender::kClient, whole.substr(0, 9));
	EXPECT_FALSE(kernel.is_http2()) << "nine bytes alone may be anything";
	kernel.call(Sender::kClient, whole.substr(9));
	kernel.call(Sender::kServer, response(43) + data(43, 100, true));
	ASSERT_TRUE(kernel.is_http2());
	kernel.call(Sender::kClient, whole.substr(9));
	EXPECT_EQ(kernel.shown(Sender::kClient), "");
	kernel.call(Sender::kClient, whole.substr(0, 9));
	kernel.call(Sender::kClient, whole.substr(9));
	EXPECT_EQ(kernel.shown(Sender::kClient), whole);
}

TEST(Http2Framing, OtherProtocolsInTheMiddleAreNotTakenForIt)
{
	using namespace std::string_literals;
	std::mt19937 random(5);
	for (int round = 0; round < 200000; round++) {
		Kernel kernel;
		std::string bytes(1 + random() % 60, '\0');
		for (char &byte : bytes)
			byte = static_cast<char>(random() % 4 ? random() % 8 : random()); // many zeros and small numbers
		kernel.join();
		kernel.call(Sender::kClient, bytes);
		const FrameChain chain = follow_frames(bytes, 3);
		ASSERT_TRUE(!kernel.is_http2() || chain.ends_exactly || chain.frames == 3) << ::testing::PrintToString(bytes);
	}
}

TEST(Http2Framing, WhatFollowsThePrefaceMustBeSettings)
{
	Kernel kernel;
	kernel.call(Sender::kClient, std::string(kPreface) + std::string("\0\0\0\1\0\1\0\0\0\1\0\0", 12));
	kernel.call(Sender::kClient, "secret");
	EXPECT_EQ(kernel.shown(Sender::kClient).find("secret"), std::string::npos);
}

TEST(Http2Framing, APayloadThatCannotBeReadIsPassedOver)
{
	Kernel kernel;
	begun(kernel);
	const std::string body = data(1, 20000, true);
	kernel.call(Sender::kServer, response(1) + body.substr(0, 9));
	EXPECT_TRUE(kernel.skip(Sender::kServer, body.substr(9)));
	EXPECT_EQ(kernel.told(Sender::kServer), 9 + response(1).size() + body.size());
	kernel.call(Sender::kServer, response(3));
	EXPECT_NE(kernel.shown(Sender::kServer).find(response(3)), std::string::npos);
	EXPECT_FALSE(kernel.skip(Sender::kServer, body)) << "that may have been anything";
	EXPECT_TRUE(kernel.call(Sender::kServer, "junk in the middle of something").foreign);
	kernel.call(Sender::kServer, response(5));
	EXPECT_NE(kernel.shown(Sender::kServer).find(response(5)), std::string::npos);
}

} // namespace
