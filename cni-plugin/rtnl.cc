// SPDX-License-Identifier: Apache-2.0
#include "rtnl.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace eoip::cni {
namespace {

constexpr size_t kReceiveBytes = 65536;
constexpr int kDumpTries = 10;

// The text of an NLMSG_ERROR with NLM_F_ACK_TLVS; "": it has none.
std::string ExtackText(const nlmsghdr* message) {
  if (!(message->nlmsg_flags & NLM_F_ACK_TLVS)) return "";
  const auto* error = static_cast<const nlmsgerr*>(NLMSG_DATA(message));
  size_t skip = sizeof(*error);
  if (!(message->nlmsg_flags & NLM_F_CAPPED)) {
    skip += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(nlmsghdr);
  }
  std::string text;
  ForEachAttribute(AttributesOf(message, skip),
                   [&text](uint16_t type, absl::string_view bytes) {
                     if (type == NLMSGERR_ATTR_MSG) {
                       text = std::string(bytes.substr(0, bytes.find('\0')));
                     }
                   });
  return text;
}

absl::Status ErrorOf(const nlmsghdr* message, absl::string_view what) {
  const auto* error = static_cast<const nlmsgerr*>(NLMSG_DATA(message));
  if (error->error == 0) return absl::OkStatus();
  absl::Status status = eoip::ErrnoToStatus(-error->error, what);
  const std::string text = ExtackText(message);
  if (text.empty()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(status.message(), ": ", text));
}

// A dump that failed on its way says so in its last message.
absl::Status DoneStatus(const nlmsghdr* message, absl::string_view what) {
  int error = 0;
  if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(error))) {
    memcpy(&error, NLMSG_DATA(message), sizeof(error));
  }
  return error < 0 ? eoip::ErrnoToStatus(-error, what) : absl::OkStatus();
}

}  // namespace

void RtnlMessage::Start(uint16_t type, uint16_t flags) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST);
  Append(&header, sizeof(header));
}

void RtnlMessage::Append(const void* data, size_t size) {
  bytes_.append(static_cast<const char*>(data), size);
  bytes_.resize(NLMSG_ALIGN(bytes_.size()));
}

void RtnlMessage::Put(uint16_t attribute, absl::string_view bytes) {
  rtattr header{};
  header.rta_type = attribute;
  header.rta_len = static_cast<uint16_t>(RTA_LENGTH(bytes.size()));
  Append(&header, sizeof(header));
  Append(bytes.data(), bytes.size());
}

void RtnlMessage::PutU8(uint16_t attribute, uint8_t value) {
  Put(attribute, absl::string_view(reinterpret_cast<char*>(&value), 1));
}

void RtnlMessage::PutU32(uint16_t attribute, uint32_t value) {
  Put(attribute,
      absl::string_view(reinterpret_cast<char*>(&value), sizeof(value)));
}

void RtnlMessage::PutString(uint16_t attribute, const std::string& text) {
  Put(attribute, absl::string_view(text.c_str(), text.size() + 1));
}

size_t RtnlMessage::Begin(uint16_t attribute) {
  const size_t begin = bytes_.size();
  Put(attribute, "");
  return begin;
}

void RtnlMessage::End(size_t begin) {
  const auto length = static_cast<uint16_t>(bytes_.size() - begin);
  memcpy(&bytes_[begin + offsetof(rtattr, rta_len)], &length, sizeof(length));
}

const std::string& RtnlMessage::Finish() {
  const auto length = static_cast<uint32_t>(bytes_.size());
  memcpy(bytes_.data(), &length, sizeof(length));
  return bytes_;
}

void ForEachAttribute(
    absl::string_view attributes,
    const std::function<void(uint16_t, absl::string_view)>& each) {
  while (attributes.size() >= sizeof(rtattr)) {
    rtattr header;
    memcpy(&header, attributes.data(), sizeof(header));
    if (header.rta_len < sizeof(header) || header.rta_len > attributes.size()) {
      return;
    }
    each(header.rta_type & NLA_TYPE_MASK,
         attributes.substr(sizeof(header), header.rta_len - sizeof(header)));
    attributes.remove_prefix(
        std::min<size_t>(RTA_ALIGN(header.rta_len), attributes.size()));
  }
}

uint32_t ReadU32(absl::string_view bytes) {
  uint32_t value = 0;
  if (bytes.size() >= sizeof(value))
    memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

absl::string_view AttributesOf(const nlmsghdr* message, size_t header_size) {
  const size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(header_size);
  if (message->nlmsg_len <= skip) return {};
  return {reinterpret_cast<const char*>(message) + skip,
          message->nlmsg_len - skip};
}

absl::StatusOr<RtnlSocket> RtnlSocket::Open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd.valid()) return eoip::ErrnoToStatus(errno, "open a netlink socket");
  const int on = 1;
  // Both are refinements that old kernels lack.
  ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
  ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
  // The kernel answers in the call that sends; this only ends a hang.
  const timeval timeout{10, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  return RtnlSocket(std::move(fd));
}

absl::Status RtnlSocket::Ask(absl::string_view what, RtnlMessage& message) {
  bool interrupted = false;
  return Run(what, message.Finish(), nullptr, &interrupted);
}

absl::Status RtnlSocket::Query(absl::string_view what, RtnlMessage& message,
                               const Each& each) {
  for (int i = 0; i < kDumpTries; ++i) {
    // Nothing is handed on before the dump is known to be whole.
    std::vector<std::string> answers;
    const Each keep = [&answers](const nlmsghdr* answer) {
      answers.emplace_back(reinterpret_cast<const char*>(answer),
                           answer->nlmsg_len);
    };
    bool interrupted = false;
    EOIP_RETURN_IF_ERROR(Run(what, message.Finish(), &keep, &interrupted));
    if (interrupted) continue;
    for (const std::string& answer : answers) {
      each(reinterpret_cast<const nlmsghdr*>(answer.data()));
    }
    return absl::OkStatus();
  }
  return absl::UnavailableError(
      absl::StrCat(what, ": interrupted by changes ", kDumpTries, " times"));
}

absl::Status RtnlSocket::Run(absl::string_view what, const std::string& request,
                             const Each* each, bool* interrupted) {
  std::string bytes = request;
  auto* header = reinterpret_cast<nlmsghdr*>(bytes.data());
  header->nlmsg_seq = ++sequence_;
  const bool dump = (header->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  if (!dump) header->nlmsg_flags |= NLM_F_ACK;
  if (::send(fd_.get(), bytes.data(), bytes.size(), 0) < 0) {
    return eoip::ErrnoToStatus(errno, what);
  }
  alignas(nlmsghdr) char buffer[kReceiveBytes];
  while (true) {
    const ssize_t got = ::recv(fd_.get(), buffer, sizeof(buffer), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return eoip::ErrnoToStatus(errno, what);
    auto* message = reinterpret_cast<nlmsghdr*>(buffer);
    for (auto left = static_cast<size_t>(got); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_seq != sequence_) continue;
      if (message->nlmsg_flags & NLM_F_DUMP_INTR) *interrupted = true;
      if (message->nlmsg_type == NLMSG_ERROR) return ErrorOf(message, what);
      if (message->nlmsg_type == NLMSG_DONE) return DoneStatus(message, what);
      if (each != nullptr) (*each)(message);
    }
  }
}

}  // namespace eoip::cni
