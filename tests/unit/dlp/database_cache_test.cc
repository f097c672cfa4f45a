#include "dlp/database_cache.h"

#include "dlp/profile.h"
#include "dlp/scanner.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace agentsh::dlp {
namespace {

namespace fs = std::filesystem;

class DatabaseCacheTest : public testing::Test {
 protected:
  DatabaseCacheTest() {
    std::string name = testing::TempDir() + "dlp_cache_XXXXXX";
    directory_ = std::string(::mkdtemp(name.data())) + "/cache";
  }
  ~DatabaseCacheTest() override { fs::remove_all(fs::path(directory_).parent_path()); }

  std::vector<fs::path> files() const {
    std::vector<fs::path> all;
    for (const auto& entry : fs::directory_iterator(directory_)) all.push_back(entry.path());
    return all;
  }

  std::string directory_;
};

TEST_F(DatabaseCacheTest, KeepsWhatItIsGiven) {
  const DatabaseCache cache(directory_);
  EXPECT_FALSE(cache.load("a"));
  cache.store("a", "database");
  EXPECT_EQ(cache.load("a"), "database");
  EXPECT_FALSE(cache.load("b"));
  DatabaseCache("").store("a", "x");
  EXPECT_FALSE(DatabaseCache("").load("a"));
}

TEST_F(DatabaseCacheTest, TakesNothingThatOthersMayHaveWritten) {
  const DatabaseCache cache(directory_);
  cache.store("a", "database");
  const fs::path file = files().front();
  ASSERT_EQ(::chmod(file.c_str(), 0666), 0);
  EXPECT_FALSE(cache.load("a"));
  ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
  EXPECT_TRUE(cache.load("a"));
  ASSERT_EQ(::chmod(directory_.c_str(), 0777), 0);
  EXPECT_FALSE(cache.load("a"));
  cache.store("b", "database");
  EXPECT_EQ(files().size(), 1u);
  ASSERT_EQ(::chmod(directory_.c_str(), 0700), 0);
  fs::rename(file, file.string() + ".real");
  fs::create_symlink(file.string() + ".real", file);
  EXPECT_FALSE(cache.load("a"));
}

TEST_F(DatabaseCacheTest, DamagedFilesAreCompiledAgain) {
  std::vector<Detector> detectors;
  for (int i = 0; i < 20; ++i) {
    detectors.push_back(
        {.id = fmt::format("d{}", i), .patterns = {fmt::format("\\bword{}x\\b", i)}});
  }
  const auto hits = [&] {
    const auto scanner = Scanner::build(detectors, directory_);
    EXPECT_TRUE(scanner);
    return (*scanner)->scan("word3x and word19x", **Profile::make(*scanner, {})).size();
  };
  EXPECT_EQ(hits(), 2u);
  ASSERT_EQ(files().size(), 1u);
  EXPECT_EQ(hits(), 2u);
  const fs::path file = files().front();
  const auto size = fs::file_size(file);
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(size / 2) << "damage";
  EXPECT_EQ(hits(), 2u);
  fs::resize_file(file, 10);
  EXPECT_EQ(hits(), 2u);
}

}  // namespace
}  // namespace agentsh::dlp
