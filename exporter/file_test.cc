// SPDX-License-Identifier: Apache-2.0
#include "exporter/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "exporter/output.h"
#include "exporter/testing/support.h"

namespace clew::exporter {
namespace {

using namespace std::chrono_literals;
using testing::batch_of;
using testing::Bench;
using testing::eventually;
using ::testing::HasSubstr;

class File : public ::testing::Test {
 protected:
  File() : directory_(std::filesystem::temp_directory_path() / ("clew-file-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(directory_);
  }
  ~File() override { std::filesystem::remove_all(directory_); }
  std::string path() const { return (directory_ / "spans.json").string(); }

  static std::unique_ptr<Exporter> start(const std::string& path, Bench& bench) {
    auto made = make_file_exporter({path}, bench.wiring());
    if (!made) {
      ADD_FAILURE() << made.error().message;
      std::abort();
    }
    return *std::move(made);
  }
  /// All span ids of the file; each line must be whole.
  static std::multiset<std::string> ids_in(const std::string& path) {
    std::multiset<std::string> ids;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      const auto document = nlohmann::json::parse(line);
      for (const auto& resource : document["resourceSpans"])
        for (const auto& span : resource["scopeSpans"][0]["spans"]) ids.insert(span["spanId"]);
    }
    return ids;
  }

  std::filesystem::path directory_;
};

TEST_F(File, SpansAreThereSoonAfterSubmitAndTheFileStartsEmpty) {
  std::ofstream(path()) << "from before\n";
  Bench bench;
  const auto exporter = start(path(), bench);
  const auto begin = std::chrono::steady_clock::now();
  exporter->submit(batch_of(10));
  ASSERT_TRUE(eventually([&] { return bench.spans("file", "exported") == 10; }));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 900ms);
  EXPECT_EQ(ids_in(path()).size(), 10U);
}

TEST_F(File, ManySpansArriveOnceEach) {
  Bench bench(WhenFull::kWait);
  const auto exporter = start(path(), bench);
  for (uint64_t i = 0; i < 100; ++i) exporter->submit(batch_of(250, i * 1000));
  exporter->shutdown(20s);
  const auto ids = ids_in(path());
  EXPECT_EQ(ids.size(), 25'000U);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 25'000U);
  EXPECT_EQ(bench.lost("file"), 0U);
}

TEST_F(File, PathThatCannotBeOpenedIsAnError) {
  Bench bench;
  const auto made = make_file_exporter({"/nowhere/spans.json"}, bench.wiring());
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("cannot open /nowhere/spans.json: No such file or directory"));
}

TEST_F(File, FullDeviceIsOneMessageAndCountedSpans) {
  Bench bench;
  const auto exporter = start("/dev/full", bench);
  for (uint64_t i = 0; i < 5; ++i) {
    exporter->submit(batch_of(10, i));
    ASSERT_TRUE(eventually([&] { return bench.lost("file", "no_space") == (i + 1) * 10; }));
  }
  exporter->shutdown(1s);
  const auto messages = bench.messages();
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_THAT(messages[0], HasSubstr("No space left on device"));
  EXPECT_THAT(messages[1], HasSubstr("50 spans were lost"));
}

/// A limit on the size of files stands for a disk that fills up in the middle of a line.
TEST_F(File, LineThatDoesNotFitIsTakenBackAndWritingGoesOnLater) {
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  Bench bench;
  const auto exporter = start(path(), bench);
  exporter->submit(batch_of(10, 1));
  ASSERT_TRUE(eventually([&] { return bench.spans("file", "exported") == 10; }));
  const auto size = std::filesystem::file_size(path());
  const rlimit tight{.rlim_cur = size + 100, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  exporter->submit(batch_of(10, 2));
  const bool failed = eventually([&] { return bench.lost("file", "write_error") == 10; });
  setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_TRUE(failed);
  EXPECT_EQ(std::filesystem::file_size(path()), size) << "no part of a line may stay";
  exporter->submit(batch_of(10, 3));
  ASSERT_TRUE(eventually([&] { return bench.spans("file", "exported") == 20; }));
  EXPECT_EQ(ids_in(path()).size(), 20U);
  exporter->shutdown(1s);
  ASSERT_EQ(bench.messages().size(), 2U);
  EXPECT_THAT(bench.messages()[1], HasSubstr("works again; 10 spans were lost"));
}

TEST_F(File, ReaderThatGoesIsToldOnceAndCounted) {
  Bench bench;
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  const int reader = open(path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  const auto exporter = start(path(), bench);
  close(reader);
  exporter->submit(batch_of(10, 1));
  ASSERT_TRUE(eventually([&] { return bench.lost("file", "reader_gone") == 10; }));
  exporter->submit(batch_of(10, 2));
  ASSERT_TRUE(eventually([&] { return bench.lost("file", "reader_gone") == 20; }));
  EXPECT_EQ(bench.messages().size(), 1U);
  EXPECT_EQ(bench.readers_gone(), 1);
}

TEST_F(File, AFifoThatNobodyReadsIsToldAndWaitedFor) {
  Bench bench;
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  std::string read_text;
  std::thread reader([&] {
    EXPECT_TRUE(eventually([&] { return bench.messages().size() == 1; }));
    std::ifstream file(path());
    std::getline(file, read_text);
  });
  const auto exporter = start(path(), bench);
  exporter->submit(batch_of(1));
  exporter->shutdown(5s);
  reader.join();
  EXPECT_THAT(bench.messages().front(), HasSubstr(path() + ": waits until somebody reads it"));
  EXPECT_THAT(read_text, HasSubstr("resourceSpans"));
}

TEST_F(File, ReaderThatSleepsHoldsUpNeitherThePipelineNorTheEnd) {
  Bench bench;
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  const int reader = open(path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  const auto exporter = start(path(), bench);
  const auto begin = std::chrono::steady_clock::now();
  for (uint64_t i = 0; i < 100; ++i) exporter->submit(batch_of(500, i * 1000));
  exporter->shutdown(200ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  EXPECT_EQ(bench.spans("file", "exported") + bench.lost("file"), 50'000U);
  EXPECT_GT(bench.lost("file", "queue_full"), 0U);
  close(reader);
}

TEST_F(File, SlowReaderOfAPipeGetsEveryLineWhole) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  std::string read_text;
  std::thread reader([&] {
    char buffer[10'000];
    for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof(buffer))) > 0;) read_text.append(buffer, static_cast<size_t>(got));
  });
  {
    Output output = Output::borrow(ends[1], "pipe");
    const Patience patience;
    for (char c = 'a'; c <= 'z'; ++c) EXPECT_EQ(output.write(std::string(100'000, c) + "\n", patience), 0);
  }
  close(ends[1]);
  reader.join();
  close(ends[0]);
  EXPECT_EQ(read_text.size(), 26U * 100'001U);
}

}  // namespace
}  // namespace clew::exporter
