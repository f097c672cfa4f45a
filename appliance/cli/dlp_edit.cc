#include "appliance/cli/dlp_scan.h"
#include "base/file_io.h"
#include "dlp/body_editor.h"
#include "dlp/redactor.h"
#include "dlp/restorer.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace agentsh::cli {
namespace {

constexpr std::size_t kMaxVault = 256 << 20;

std::string the_file(const DlpArguments& arguments) {
  return arguments.files.empty() ? "-" : arguments.files.front();
}

std::string media_type_of(const DlpArguments& arguments) {
  if (!arguments.type.empty()) return arguments.type;
  return the_file(arguments).ends_with(".json") ? "application/json" : "text/plain";
}

Result<std::shared_ptr<dlp::Vault>> open_vault(const std::string& path, bool may_be_new) {
  std::error_code error;
  if (may_be_new && !std::filesystem::exists(path, error)) return std::make_shared<dlp::Vault>();
  auto text = read_file(path, kMaxVault);
  if (!text) return std::unexpected(text.error());
  auto vault = dlp::Vault::from_json(*text);
  if (!vault) return std::unexpected(with_context(vault.error(), path));
  return vault;
}

Result<void> save_vault(const std::string& path, const dlp::Vault& vault) {
  return write_file_atomic(path, vault.to_json(), 0600);
}

// The file through the editor to standard output.
Result<void> edit(const DlpArguments& arguments, dlp::TextEditor& editor) {
  auto body = dlp::make_body_editor(media_type_of(arguments), editor);
  if (!body) return std::unexpected(body.error());
  Result<void> edited;
  std::string out;
  const auto flush = [&] {
    const bool written = std::fwrite(out.data(), 1, out.size(), stdout) == out.size();
    if (!written && edited) edited = std::unexpected(errno_error("write", "standard output"));
    out.clear();
    return edited.has_value();
  };
  auto read = read_pieces(the_file(arguments), [&](std::string_view piece) {
    edited = (*body)->push(piece, out);
    return edited && flush();
  });
  if (!read) return read;
  if (edited) edited = (*body)->finish(out);
  if (edited) flush();
  return edited;
}

}  // namespace

int dlp_redact(const DlpArguments& arguments, const DlpSetupLoader& load) {
  auto profile = dlp_profile(arguments, load);
  if (!profile) return complain_dlp(profile.error().what);
  const bool keeps = !arguments.vault.empty();
  if ((*profile)->tokenizes() && !keeps) {
    return complain_dlp(
        "tokenized text can be restored with a vault only: say --vault FILE, or --mode redact");
  }
  std::shared_ptr<dlp::Vault> vault;
  if (keeps) {
    auto opened = open_vault(arguments.vault, true);
    if (!opened) return complain_dlp(opened.error().what);
    vault = std::move(*opened);
    // Whoever cannot write it learns so before anything is replaced.
    if (auto saved = save_vault(arguments.vault, *vault); !saved) {
      return complain_dlp(saved.error().what);
    }
  }
  dlp::Redactor redactor(std::move(*profile), vault);
  auto edited = edit(arguments, redactor);
  if (keeps) {
    if (auto saved = save_vault(arguments.vault, *vault); !saved) {
      return complain_dlp(saved.error().what);
    }
  }
  if (redactor.blocked()) {
    complain_dlp(fmt::format("the text is blocked by detector {}", redactor.blocked_by().id));
    return kDlpFound;
  }
  if (!edited) return complain_dlp(edited.error().what);
  return kDlpWell;
}

int dlp_restore(const DlpArguments& arguments) {
  auto vault = open_vault(arguments.vault, false);
  if (!vault) return complain_dlp(vault.error().what);
  dlp::Restorer restorer(std::move(*vault));
  if (auto edited = edit(arguments, restorer); !edited) return complain_dlp(edited.error().what);
  return kDlpWell;
}

}  // namespace agentsh::cli
