// SPDX-License-Identifier: Apache-2.0
#include "model/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace eoip {
namespace {

constexpr size_t kMaxLinkName = 15;  // IFNAMSIZ - 1
constexpr size_t kMaxAttachmentId = 63;
constexpr size_t kMaxShownValue = 64;
constexpr char kLinkNameRule[] =
    "1 to 15 of [A-Za-z0-9_.-], not starting with '-' or '.', not 'lo', "
    "'all' or 'default'";
constexpr char kAttachmentIdRule[] =
    "1 to 63 of [A-Za-z0-9_.-], not starting with '-' or '.'";

bool IsPlainName(absl::string_view name, size_t max) {
  if (name.empty() || name.size() > max) return false;
  if (name[0] == '-' || name[0] == '.') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
  });
}

bool IsLinkName(absl::string_view name) {
  return IsPlainName(name, kMaxLinkName) && name != "lo" && name != "all" &&
         name != "default";
}

std::string Shown(absl::string_view value) {
  if (value.size() <= kMaxShownValue) return absl::Utf8SafeCEscape(value);
  size_t cut = kMaxShownValue;
  // Not in the middle of a UTF-8 sequence.
  while (cut > 0 && (value[cut] & 0xc0) == 0x80) --cut;
  return absl::StrCat(absl::Utf8SafeCEscape(value.substr(0, cut)), "...");
}

// The id behind prefix, or the error that tells the whole form.
absl::StatusOr<std::string> ParseName(absl::string_view field,
                                      absl::string_view name,
                                      absl::string_view prefix,
                                      absl::string_view form) {
  absl::string_view id = name;
  if (!absl::ConsumePrefix(&id, prefix) || !IsLinkName(id)) {
    return FieldError(field, name, absl::StrCat(form, ": ", kLinkNameRule));
  }
  return std::string(id);
}

}  // namespace

std::string TunnelName(absl::string_view id) {
  return absl::StrCat("tunnels/", id);
}

absl::StatusOr<std::string> ParseTunnelName(absl::string_view field,
                                            absl::string_view name) {
  return ParseName(field, name, "tunnels/", "tunnels/{tunnel}");
}

std::string NetworkName(absl::string_view id) {
  return absl::StrCat("networks/", id);
}

absl::StatusOr<std::string> ParseNetworkName(absl::string_view field,
                                             absl::string_view name) {
  return ParseName(field, name, "networks/", "networks/{network}");
}

std::string AttachmentName(const AttachmentKey& key) {
  return absl::StrCat("networks/", key.network, "/attachments/",
                      key.attachment);
}

absl::StatusOr<AttachmentKey> ParseAttachmentName(absl::string_view field,
                                                  absl::string_view name) {
  static constexpr absl::string_view kMiddle = "/attachments/";
  absl::string_view rest = name;
  if (absl::ConsumePrefix(&rest, "networks/")) {
    const size_t middle = rest.find(kMiddle);
    if (middle != absl::string_view::npos) {
      const absl::string_view network = rest.substr(0, middle);
      const absl::string_view id = rest.substr(middle + kMiddle.size());
      if (IsLinkName(network) && IsPlainName(id, kMaxAttachmentId)) {
        return AttachmentKey{std::string(network), std::string(id)};
      }
    }
  }
  return FieldError(
      field, name,
      absl::StrCat("networks/{network}/attachments/{attachment}: "
                   "{network} is ",
                   kLinkNameRule, "; {attachment} is ", kAttachmentIdRule));
}

absl::Status ValidateLinkName(absl::string_view field, absl::string_view name) {
  return IsLinkName(name) ? absl::OkStatus()
                          : FieldError(field, name, kLinkNameRule);
}

absl::Status ValidateAttachmentId(absl::string_view field,
                                  absl::string_view id) {
  return IsPlainName(id, kMaxAttachmentId)
             ? absl::OkStatus()
             : FieldError(field, id, kAttachmentIdRule);
}

absl::Status ValidateText(absl::string_view field, absl::string_view text,
                          size_t max_bytes) {
  bool good = text.size() <= max_bytes;
  for (size_t i = 0; good && i < text.size(); ++i) {
    const unsigned char c = text[i];
    const bool c1 = c == 0xc2 && i + 1 < text.size() &&
                    static_cast<unsigned char>(text[i + 1]) < 0xa0;
    good = c >= 0x20 && c != 0x7f && !c1;
  }
  if (good) return absl::OkStatus();
  return FieldError(
      field, text,
      absl::StrCat("0 to ", max_bytes, " bytes without control characters"));
}

absl::Status FieldError(absl::string_view field, absl::string_view value,
                        absl::string_view allowed) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": '", Shown(value), "': ", allowed));
}

absl::Status NotBuiltError(absl::string_view field, absl::string_view value,
                           absl::string_view allowed) {
  return absl::UnimplementedError(absl::StrCat(
      field, ": '", Shown(value), "': not built yet; allowed ", allowed));
}

}  // namespace eoip
