// The shipped catalogue's files, as text. Generated from dlp/catalogue/*.yaml by the build.
#pragma once

#include <span>
#include <string_view>

namespace agentsh::dlp {

struct CatalogueFile {
  std::string_view name;
  std::string_view text;
};
std::span<const CatalogueFile> catalogue_files();

}  // namespace agentsh::dlp
