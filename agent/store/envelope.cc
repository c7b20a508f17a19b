// SPDX-License-Identifier: Apache-2.0
#include "store/envelope.h"

#include <zlib.h>

#include <cstdint>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace eoip {
namespace {

constexpr absl::string_view kMagic = "eoip-state";
// No header of a good file is longer.
constexpr size_t kMaxHeader = 128;

uint32_t Checksum(absl::string_view version, absl::string_view length,
                  absl::string_view etag, absl::string_view payload) {
  const std::string head = absl::StrCat(version, " ", length, " ", etag, "\n");
  uLong crc = crc32(0, reinterpret_cast<const Bytef*>(head.data()),
                    static_cast<uInt>(head.size()));
  crc = crc32_z(crc, reinterpret_cast<const Bytef*>(payload.data()),
                payload.size());
  return static_cast<uint32_t>(crc);
}

}  // namespace

std::string MakeEnvelope(const Envelope& envelope, int version) {
  const std::string v = absl::StrCat(version);
  const std::string length = absl::StrCat(envelope.payload.size());
  const uint32_t crc = Checksum(v, length, envelope.etag, envelope.payload);
  return absl::StrFormat("%s %s %08x %s %s\n%s", kMagic, v, crc, length,
                         envelope.etag, envelope.payload);
}

absl::StatusOr<Envelope> ParseEnvelope(absl::string_view bytes) {
  const size_t end = bytes.substr(0, kMaxHeader).find('\n');
  if (end == absl::string_view::npos) {
    return absl::DataLossError("no header line of a state file");
  }
  const std::vector<absl::string_view> words =
      absl::StrSplit(bytes.substr(0, end), ' ');
  if (words.size() != 5 || words[0] != kMagic) {
    return absl::DataLossError("the header line is not a state file's");
  }
  const absl::string_view payload = bytes.substr(end + 1);
  size_t length;
  if (!absl::SimpleAtoi(words[3], &length)) {
    return absl::DataLossError("the header line has no length");
  }
  if (length != payload.size()) {
    return absl::DataLossError(absl::StrCat(
        "holds ", payload.size(), " bytes, its header says ", length));
  }
  const uint32_t crc = Checksum(words[1], words[3], words[4], payload);
  if (words[2] != absl::StrFormat("%08x", crc)) {
    return absl::DataLossError("the checksum does not match");
  }
  int version;
  if (!absl::SimpleAtoi(words[1], &version) || version < 1) {
    return absl::DataLossError("the header line has no version");
  }
  if (version > kStateVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("written by a newer version (format ", version,
                     ", this one reads up to ", kStateVersion, ")"));
  }
  return Envelope{std::string(words[4]), std::string(payload)};
}

}  // namespace eoip
