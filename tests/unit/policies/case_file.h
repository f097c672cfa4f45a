// Case files of tests/cases/policies, read with the reader under test.
#pragma once

#include "base/file_io.h"
#include "policies/yaml_document.h"

#include <gtest/gtest.h>

#include <string>

namespace agentsh::policy {

class CaseFile {
 public:
  explicit CaseFile(const std::string& name) : problems_(name) {
    auto text = read_file(std::string(AGENTSH_SOURCE_DIR) + "/tests/cases/policies/" + name);
    EXPECT_TRUE(text) << (text ? "" : text.error().what);
    if (text) document_ = YamlDocument::parse(*text, problems_);
    EXPECT_TRUE(document_ && problems_.ok()) << (problems_.ok() ? "" : problems_.to_error().what);
  }
  YamlNode root() const { return document_ ? document_->root() : YamlNode(); }

 private:
  Diagnostics problems_;
  std::optional<YamlDocument> document_;
};

}  // namespace agentsh::policy
