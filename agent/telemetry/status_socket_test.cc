// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/telemetry/status_client.h"
#include "agent/telemetry/status_directory.h"
#include "agent/telemetry/status_server.h"
#include "agent/telemetry/unix_address.h"

namespace clew::telemetry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class StatusSocketTest : public testing::Test {
 protected:
  StatusSocketTest() {
    std::string pattern = "/tmp/clew_status_test.XXXXXX";
    root_ = mkdtemp(pattern.data());
    directory_ = root_ + "/clew";
  }
  ~StatusSocketTest() override { std::filesystem::remove_all(root_); }

  std::unique_ptr<StatusServer> serve(uint32_t process_id, std::string document) {
    auto server = StatusServer::start(directory_, process_id, [document] { return document; });
    EXPECT_TRUE(server) << (server ? "" : server.error().message);
    return server ? *std::move(server) : nullptr;
  }
  static std::string document(uint32_t process_id) {
    Status status;
    status.process_id = process_id;
    return to_json(status);
  }
  static mode_t mode(const std::string& path) {
    struct stat status{};
    return lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
  }
  /// What a clew leaves that was killed: a socket on which nobody listens.
  void leave_dead_socket(const std::string& path) const {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    const auto address = unix_address(path);
    ASSERT_EQ(bind(fd, address->get(), address->length), 0);
    close(fd);
  }

  std::string root_;
  std::string directory_;
};

TEST_F(StatusSocketTest, EveryClewIsAsked) {
  const auto first = serve(11, document(11));
  const auto second = serve(7, document(7));
  const std::vector<Answer> answers = ask_clews({directory_});
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].status->process_id, 7U);
  EXPECT_EQ(answers[1].status->process_id, 11U);
  EXPECT_THAT(running_clews({directory_}), ElementsAre(7, 11));
}

TEST_F(StatusSocketTest, IsClosedToOthers) {
  const auto server = serve(1, document(1));
  EXPECT_EQ(mode(directory_), 0700U);
  EXPECT_EQ(mode(server->path()), 0600U);
}

TEST_F(StatusSocketTest, IsGoneWhenTheClewEnds) {
  serve(1, document(1)).reset();
  EXPECT_THAT(list_status_sockets(directory_), IsEmpty());
}

TEST_F(StatusSocketTest, AsksManyTimes) {
  const auto server = serve(1, document(1));
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(ask_clews({directory_}).at(0).status);
}

TEST_F(StatusSocketTest, ALargeDocumentArrivesWhole) {
  Status status;
  status.process_id = 5;
  for (int i = 0; i < 20000; ++i) status.counters.push_back({"clew_lost_total", {{"where", "x"}, {"reason", std::to_string(i)}}, 1});
  const auto server = serve(5, to_json(status));
  EXPECT_EQ(ask_clews({directory_}).at(0).status->counters.size(), 20000U);
}

TEST_F(StatusSocketTest, DeadSocketsAreRemovedAtStartAndWhenAsked) {
  ASSERT_EQ(mkdir(directory_.c_str(), 0700), 0);
  leave_dead_socket(directory_ + "/123.sock");
  EXPECT_THAT(running_clews({directory_}), IsEmpty());
  EXPECT_THAT(ask_clews({directory_}), IsEmpty());
  EXPECT_THAT(list_status_sockets(directory_), IsEmpty());
  leave_dead_socket(directory_ + "/124.sock");
  const auto server = serve(1, document(1));
  EXPECT_EQ(list_status_sockets(directory_).size(), 1U);
}

TEST_F(StatusSocketTest, ThroughALinkNothingIsRemoved) {
  ASSERT_EQ(mkdir(directory_.c_str(), 0700), 0);
  leave_dead_socket(directory_ + "/123.sock");
  ASSERT_EQ(symlink(directory_.c_str(), (root_ + "/link").c_str()), 0);
  EXPECT_THAT(ask_clews({root_ + "/link"}), IsEmpty());
  EXPECT_EQ(list_status_sockets(directory_).size(), 1U);
}

TEST_F(StatusSocketTest, TheSocketOfADeadClewWithTheSameProcessIdIsTakenOver) {
  ASSERT_EQ(mkdir(directory_.c_str(), 0700), 0);
  leave_dead_socket(directory_ + "/1.sock");
  const auto server = serve(1, document(1));
  EXPECT_THAT(running_clews({directory_}), ElementsAre(1));
}

TEST_F(StatusSocketTest, AClientThatNeverReadsBlocksNeitherTheNextNorTheEnd) {
  auto server = serve(1, std::string(8 << 20, ' '));
  const int lazy = socket(AF_UNIX, SOCK_STREAM, 0);
  const auto address = unix_address(server->path());
  ASSERT_EQ(connect(lazy, address->get(), address->length), 0);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(ask_clews({directory_}).at(0).status.error().message, HasSubstr("longer than 4 MiB"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  server.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
  close(lazy);
}

TEST_F(StatusSocketTest, NonsenseIsAnAnswerWithAnError) {
  const auto server = serve(1, "hello");
  EXPECT_FALSE(ask_clews({directory_}).at(0).status);
}

TEST_F(StatusSocketTest, ADirectoryThatOthersMayEnterIsRefused) {
  ASSERT_EQ(mkdir(directory_.c_str(), 0755), 0);
  ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
  const auto server = StatusServer::start(directory_, 1, [] { return std::string(); });
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().message, HasSubstr("0700"));
}

TEST_F(StatusSocketTest, ALinkOrAFileInPlaceOfTheDirectoryIsRefused) {
  ASSERT_EQ(symlink("/tmp", directory_.c_str()), 0);
  EXPECT_FALSE(prepare_status_directory(directory_));
  ASSERT_EQ(unlink(directory_.c_str()), 0);
  std::ofstream(directory_) << "x";
  EXPECT_FALSE(prepare_status_directory(directory_));
}

TEST_F(StatusSocketTest, APathThatIsTooLongIsAnError) {
  directory_ = root_ + "/" + std::string(100, 'x');
  const auto server = StatusServer::start(directory_, 1, [] { return std::string(); });
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().message, HasSubstr("longer than"));
}

TEST_F(StatusSocketTest, OtherFilesAreLeftAlone) {
  ASSERT_EQ(mkdir(directory_.c_str(), 0700), 0);
  for (const char* name : {"/x.sock", "/12.sock.new", "/12", "/-3.sock", "/1x.sock"}) std::ofstream(directory_ + name) << "x";
  EXPECT_THAT(list_status_sockets(directory_), IsEmpty());
}

TEST(StatusDirectory, DependsOnTheUser) {
  const auto lookup = [](const char*) { return "/run/user/1000"; };
  EXPECT_EQ(status_directory(0, lookup), "/run/clew");
  EXPECT_EQ(status_directory(1000, lookup), "/run/user/1000/clew");
  EXPECT_EQ(status_directory(1000, nullptr), "/tmp/clew-1000");
  EXPECT_EQ(status_directory(1000, [](const char*) { return "relative"; }), "/tmp/clew-1000");
  EXPECT_EQ(status_directories(1000, lookup).size(), 1U);
  EXPECT_EQ(status_directories(0, lookup).front(), "/run/clew");
}

}  // namespace
}  // namespace clew::telemetry
