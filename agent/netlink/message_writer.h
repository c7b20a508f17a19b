// SPDX-License-Identifier: Apache-2.0
//
// Writes one netlink message: header, family header, attributes, in host byte
// order and padded to 4 bytes, as the kernel wants them. Pure.
#ifndef EOIP_NETLINK_MESSAGE_WRITER_H_
#define EOIP_NETLINK_MESSAGE_WRITER_H_

#include <linux/netlink.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace eoip {

class MessageWriter {
 public:
  // header is the family's fixed header, such as ifinfomsg. NLM_F_REQUEST is
  // always set. Sequence number and port are left 0.
  template <typename Header>
  MessageWriter(uint16_t type, uint16_t flags, const Header& header)
      : bytes_(NLMSG_HDRLEN, '\0') {
    type_ = type;
    flags_ = static_cast<uint16_t>(flags | NLM_F_REQUEST);
    Append(&header, sizeof(header));
  }

  void PutU8(uint16_t type, uint8_t value) { PutValue(type, value); }
  void PutU16(uint16_t type, uint16_t value) { PutValue(type, value); }
  void PutU32(uint16_t type, uint32_t value) { PutValue(type, value); }
  // With the terminating zero.
  void PutString(uint16_t type, const std::string& text) {
    PutBytes(type, absl::string_view(text.c_str(), text.size() + 1));
  }
  void PutBytes(uint16_t type, absl::string_view bytes) {
    PutAttributeHeader(type, bytes.size());
    Append(bytes.data(), bytes.size());
  }
  // A bare struct inside of a nested attribute, where the kernel wants one.
  template <typename Header>
  void PutHeader(const Header& header) {
    Append(&header, sizeof(header));
  }
  // What is put until End(Begin(…)) is inside of a nested attribute.
  size_t Begin(uint16_t type) {
    const size_t at = bytes_.size();
    PutAttributeHeader(static_cast<uint16_t>(type | NLA_F_NESTED), 0);
    return at;
  }
  void End(size_t at) {
    const auto length = static_cast<uint16_t>(bytes_.size() - at);
    std::memcpy(&bytes_[at], &length, sizeof(length));
  }

  std::string Finish() && {
    nlmsghdr header = {};
    header.nlmsg_len = static_cast<uint32_t>(bytes_.size());
    header.nlmsg_type = type_;
    header.nlmsg_flags = flags_;
    std::memcpy(&bytes_[0], &header, sizeof(header));
    return std::move(bytes_);
  }

 private:
  template <typename T>
  void PutValue(uint16_t type, T value) {
    PutAttributeHeader(type, sizeof(value));
    Append(&value, sizeof(value));
  }
  void PutAttributeHeader(uint16_t type, size_t payload) {
    const uint16_t header[2] = {static_cast<uint16_t>(NLA_HDRLEN + payload),
                                type};
    Append(header, sizeof(header));
  }
  void Append(const void* data, size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()), '\0');
  }

  uint16_t type_ = 0;
  uint16_t flags_ = 0;
  std::string bytes_;
};

}  // namespace eoip

#endif  // EOIP_NETLINK_MESSAGE_WRITER_H_
