// Recordings: bytes as they came, and asciicasts whose lines are whole characters.
#include "appliance/sessions/output_file.h"

#include "base/file_io.h"
#include "base/json_reader.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

namespace agentsh {
namespace {

class Recordings : public ::testing::Test {
 protected:
  Recordings() {
    std::string pattern = ::testing::TempDir() + "agentsh-recordings-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~Recordings() override { std::filesystem::remove_all(directory_); }

  std::vector<std::string> lines(const std::string& path) {
    std::istringstream text(*read_file(path, 1 << 20));
    std::vector<std::string> found;
    for (std::string line; std::getline(text, line);) found.push_back(line);
    return found;
  }

  std::string directory_;
};

TEST_F(Recordings, PlainIsAsItCame) {
  const std::string path = directory_ + "/a.stdout";
  auto file = OutputFile::plain(path);
  ASSERT_TRUE(file);
  (*file)->append(std::string_view("a\0b\xff", 4));
  (*file)->append("c\n");
  EXPECT_EQ(*read_file(path, 100), std::string("a\0b\xff"
                                               "c\n",
                                               6));
  EXPECT_FALSE((*file)->truncated());
  EXPECT_FALSE(OutputFile::plain(path)) << "an existing file is never written over";
}

TEST_F(Recordings, CharactersAreNotCutInTwo) {
  const std::string path = directory_ + "/a.cast";
  auto file = OutputFile::terminal(path, 24, 80, "sh -c x");
  ASSERT_TRUE(file);
  for (char byte : std::string_view("gr\xc3\xbcn \xf0\x9f\x90\x9f")) (*file)->append({&byte, 1});
  (*file)->resized(33, 111);
  const auto found = lines(path);
  const auto head = JsonDocument::parse(found.at(0));
  ASSERT_TRUE(head);
  EXPECT_EQ(head->root().integer("width"), 80);
  EXPECT_EQ(head->root().text("command"), "sh -c x");
  std::string output;
  std::string last_kind;
  for (std::size_t i = 1; i < found.size(); ++i) {
    const auto line = JsonDocument::parse(found[i]);
    ASSERT_TRUE(line) << found[i];
    const auto parts = line->root().elements();
    last_kind = JsonValue(&parts[1]).as_text();
    if (last_kind == "o") output += JsonValue(&parts[2]).as_text();
  }
  EXPECT_EQ(output, "gr\xc3\xbcn \xf0\x9f\x90\x9f");
  EXPECT_EQ(last_kind, "r");
}

}  // namespace
}  // namespace agentsh
