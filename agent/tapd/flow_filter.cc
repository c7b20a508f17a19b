// SPDX-License-Identifier: Apache-2.0
#include "tapd/flow_filter.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "eoip_wire.h"

namespace eoip::tapd {
namespace {

constexpr uint32_t kWholePacket = 0x40000;
// Scratch words: the offset of the inner frame, the hash so far.
constexpr uint32_t kFrameAt = 0, kHash = 1;

// Writes a program with jumps to places that are not known yet.
class Program {
 public:
  enum Target {
    kNext,
    kV4,
    kPorts4,
    kV6,
    kPorts6,
    kMacs,
    kHashed,
    kFirstWorker,
    kNoShare,
    kForeign,
    kTargets
  };

  void Add(uint16_t code, uint32_t k = 0) {
    code_.push_back(BPF_STMT(code, k));
  }
  // Jumps forward: kNext is the following instruction.
  void Jump(uint16_t condition, uint32_t k, Target yes, Target no) {
    jumps_.push_back({code_.size(), yes, no});
    code_.push_back(BPF_JUMP(BPF_JMP | condition | BPF_K, k, 0, 0));
  }
  void JumpAlways(Target target) { Jump(BPF_JGE, 0, target, target); }
  void Place(Target target) { places_[target] = code_.size(); }

  std::vector<sock_filter> Finish() {
    for (const auto& [at, yes, no] : jumps_) {
      code_[at].jt = Distance(at, yes);
      code_[at].jf = Distance(at, no);
    }
    return std::move(code_);
  }

  // hash ^= the word at offset from the frame. X is the frame before and after.
  void Mix(uint32_t offset) {
    Add(BPF_LD | BPF_W | BPF_IND, offset);
    Add(BPF_LDX | BPF_W | BPF_MEM, kHash);
    Add(BPF_ALU | BPF_XOR | BPF_X);
    Add(BPF_ST, kHash);
    Add(BPF_LDX | BPF_W | BPF_MEM, kFrameAt);
  }
  // Jumps to otherwise where there are fewer than size bytes from X on.
  void Need(uint32_t size, Target otherwise) {
    Add(BPF_LD | BPF_W | BPF_LEN);
    Add(BPF_ALU | BPF_SUB | BPF_X);
    Jump(BPF_JGE, size, kNext, otherwise);
  }
  // A is a protocol number: on to ports for TCP and UDP.
  void JumpByProtocol(Target ports) {
    Jump(BPF_JEQ, 6, ports, kNext);
    Jump(BPF_JEQ, 17, ports, kHashed);
  }

 private:
  struct Pending {
    size_t at;
    Target yes, no;
  };
  uint8_t Distance(size_t at, Target target) const {
    if (target == kNext) return 0;
    return static_cast<uint8_t>(places_[target] - at - 1);
  }

  std::vector<sock_filter> code_;
  std::vector<Pending> jumps_;
  std::array<size_t, kTargets> places_{};
};

// The hash of the frame at X.
void AddHash(Program* p) {
  p->Add(BPF_STX, kFrameAt);
  p->Add(BPF_LD | BPF_IMM, 0);
  p->Add(BPF_ST, kHash);
  p->Need(EOIP_MIN_FRAME, Program::kFirstWorker);
  p->Add(BPF_LD | BPF_H | BPF_IND, 12);
  p->Jump(BPF_JEQ, 0x86dd, Program::kV6, Program::kNext);
  p->Jump(BPF_JEQ, 0x0800, Program::kV4, Program::kMacs);

  p->Place(Program::kV4);
  p->Need(34, Program::kMacs);
  p->Mix(26);
  p->Mix(30);
  // No ports behind options and in fragments, the first one neither.
  p->Add(BPF_LD | BPF_B | BPF_IND, 14);
  p->Jump(BPF_JEQ, 0x45, Program::kNext, Program::kHashed);
  p->Add(BPF_LD | BPF_H | BPF_IND, 20);
  p->Jump(BPF_JSET, 0x3fff, Program::kHashed, Program::kNext);
  p->Add(BPF_LD | BPF_B | BPF_IND, 23);
  p->JumpByProtocol(Program::kPorts4);
  p->Place(Program::kPorts4);
  p->Need(38, Program::kHashed);
  p->Mix(34);
  p->JumpAlways(Program::kHashed);

  p->Place(Program::kV6);
  p->Need(54, Program::kMacs);
  for (uint32_t at = 22; at < 54; at += 4) p->Mix(at);
  p->Add(BPF_LD | BPF_B | BPF_IND, 20);
  p->JumpByProtocol(Program::kPorts6);
  p->Place(Program::kPorts6);
  p->Need(58, Program::kHashed);
  p->Mix(54);
  p->JumpAlways(Program::kHashed);

  p->Place(Program::kMacs);
  p->Mix(2);
  p->Mix(8);
}

// From the frame at X to the verdict; kForeign is worker 0's up to snap bytes.
std::vector<sock_filter> Select(Program p, int worker, int workers,
                                uint32_t snap) {
  if (workers > 1) {
    AddHash(&p);
    p.Place(Program::kHashed);
    // Spread what differs in few bits (Knuth's multiplicative hash).
    p.Add(BPF_LD | BPF_W | BPF_MEM, kHash);
    p.Add(BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1);
    p.Add(BPF_ALU | BPF_RSH | BPF_K, 16);
    p.Add(BPF_ALU | BPF_MOD | BPF_K, static_cast<uint32_t>(workers));
    p.Jump(BPF_JEQ, static_cast<uint32_t>(worker), Program::kNext,
           Program::kNoShare);
    p.Add(BPF_RET | BPF_K, kWholePacket);
    p.Place(Program::kNoShare);
    p.Add(BPF_RET | BPF_K, 0);
  }
  p.Place(Program::kFirstWorker);
  p.Add(BPF_RET | BPF_K, worker == 0 ? kWholePacket : 0);
  p.Place(Program::kForeign);
  p.Add(BPF_RET | BPF_K, worker == 0 ? snap : 0);
  return p.Finish();
}

}  // namespace

// The filter sees the packet from the IPv4 header on.
std::vector<sock_filter> MakeFlowFilterV4(int worker, int workers) {
  Program p;
  p.Add(BPF_LDX | BPF_B | BPF_MSH, 0);
  // A load beyond the end would end the program and lose the packet uncounted.
  p.Need(EOIP4_HLEN, Program::kForeign);
  p.Add(BPF_LD | BPF_W | BPF_IND, 0);
  p.Jump(BPF_JEQ,
         EOIP4_MAGIC0 << 24 | EOIP4_MAGIC1 << 16 | EOIP4_MAGIC2 << 8 |
             EOIP4_MAGIC3,
         Program::kNext, Program::kForeign);
  p.Add(BPF_MISC | BPF_TXA);
  p.Add(BPF_ALU | BPF_ADD | BPF_K, EOIP4_HLEN);
  p.Add(BPF_MISC | BPF_TAX);
  return Select(std::move(p), worker, workers, kForeignSnap);
}

// The filter sees the payload of the IPv6 packet.
std::vector<sock_filter> MakeFlowFilterV6(int worker, int workers) {
  Program p;
  p.Add(BPF_LDX | BPF_IMM, EOIP6_HLEN);
  p.Add(BPF_LD | BPF_W | BPF_LEN);
  p.Jump(BPF_JGE, EOIP6_HLEN, Program::kNext, Program::kForeign);
  p.Add(BPF_LD | BPF_B | BPF_ABS, 0);
  p.Add(BPF_ALU | BPF_AND | BPF_K, 0xf);
  p.Jump(BPF_JEQ, EOIP6_MAGIC, Program::kNext, Program::kForeign);
  return Select(std::move(p), worker, workers, kForeignSnap);
}

}  // namespace eoip::tapd
