// SPDX-License-Identifier: Apache-2.0
#include "store/file_store.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "store/envelope.h"

namespace eoip {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Resources as lines of words; only the fields that these tests set.
class LineCodec : public Codec {
 public:
  std::string Encode(const TunnelSpec& spec) const override {
    return absl::StrCat("tunnel\n", spec.id, "\n", spec.remote.ToString(), "\n",
                        spec.tunnel_id.value_or(0), "\n", spec.comment, "\n",
                        spec.source);
  }
  std::string Encode(const NetworkSpec& spec) const override {
    return absl::StrCat("network\n", spec.id, "\n", spec.comment, "\n",
                        spec.source, "\n",
                        spec.ports.empty() ? "" : spec.ports[0].tunnel);
  }
  std::string Encode(const AttachmentSpec& spec) const override {
    return absl::StrCat("attachment\n", spec.network, "\n", spec.id, "\n",
                        spec.host_link);
  }
  absl::Status Decode(absl::string_view bytes,
                      TunnelSpec* spec) const override {
    const std::vector<std::string> words = absl::StrSplit(bytes, '\n');
    if (words.size() != 6 || words[0] != "tunnel") {
      return absl::InvalidArgumentError("no tunnel");
    }
    EOIP_ASSIGN_OR_RETURN(spec->remote, IpAddress::Parse(words[2]));
    spec->id = words[1];
    spec->tunnel_id = static_cast<uint32_t>(std::stoul(words[3]));
    spec->comment = words[4];
    spec->source = words[5];
    return absl::OkStatus();
  }
  absl::Status Decode(absl::string_view bytes,
                      NetworkSpec* spec) const override {
    const std::vector<std::string> words = absl::StrSplit(bytes, '\n');
    if (words.size() != 5 || words[0] != "network") {
      return absl::InvalidArgumentError("no network");
    }
    spec->id = words[1];
    spec->comment = words[2];
    spec->source = words[3];
    if (!words[4].empty()) spec->ports.push_back({.tunnel = words[4]});
    return absl::OkStatus();
  }
  absl::Status Decode(absl::string_view bytes,
                      AttachmentSpec* spec) const override {
    const std::vector<std::string> words = absl::StrSplit(bytes, '\n');
    if (words.size() != 4 || words[0] != "attachment") {
      return absl::InvalidArgumentError("no attachment");
    }
    spec->network = words[1];
    spec->id = words[2];
    spec->host_link = words[3];
    return absl::OkStatus();
  }
};

TunnelSpec Tunnel(const std::string& id, const std::string& comment = "") {
  TunnelSpec spec;
  spec.id = id;
  spec.remote = *IpAddress::Parse("192.0.2.1");
  spec.tunnel_id = 7;
  spec.comment = comment;
  return spec;
}

NetworkSpec Network(const std::string& id) {
  NetworkSpec spec;
  spec.id = id;
  return spec;
}

AttachmentSpec Attachment(const std::string& network, const std::string& id) {
  AttachmentSpec spec;
  spec.network = network;
  spec.id = id;
  spec.host_link = "veth0";
  return spec;
}

absl::StatusOr<std::unique_ptr<FileStore>> TryOpen(const fs::path& folder) {
  return FileStore::Open(folder, std::make_unique<LineCodec>());
}

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

void WriteFile(const fs::path& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << bytes;
}

std::vector<std::string> Files(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class FileStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "store-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    folder_ = root_ / "state";
  }
  void TearDown() override {
    store_.reset();
    fs::remove_all(root_);
  }
  // Closes what is open first, as a restart does.
  void Open() {
    store_.reset();
    auto opened = TryOpen(folder_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  // A store with tunnels a and b, a network lan and an attachment, closed.
  void Fill() {
    Open();
    ASSERT_TRUE(store_->PutTunnel(Tunnel("a", "first")).ok());
    ASSERT_TRUE(store_->PutTunnel(Tunnel("b")).ok());
    ASSERT_TRUE(store_->PutNetwork(Network("lan")).ok());
    ASSERT_TRUE(store_->PutAttachment(Attachment("lan", "pod.eth0")).ok());
    store_.reset();
  }

  fs::path root_, folder_;
  std::unique_ptr<FileStore> store_;
};

TEST_F(FileStoreTest, KeepsEverythingOverARestart) {
  Open();
  const auto tunnel_etag = store_->PutTunnel(Tunnel("a", "text"));
  const auto network_etag = store_->PutNetwork(Network("lan"));
  const auto etag = store_->PutAttachment(Attachment("lan", "pod.eth0"));
  ASSERT_TRUE(tunnel_etag.ok() && network_etag.ok() && etag.ok());
  Open();
  ASSERT_NE(store_->GetTunnel("a"), nullptr);
  EXPECT_EQ(store_->GetTunnel("a")->spec, Tunnel("a", "text"));
  EXPECT_EQ(store_->GetTunnel("a")->etag, *tunnel_etag);
  EXPECT_EQ(store_->GetNetwork("lan")->spec, Network("lan"));
  EXPECT_EQ(store_->GetNetwork("lan")->etag, *network_etag);
  const AttachmentKey key{"lan", "pod.eth0"};
  EXPECT_EQ(store_->GetAttachment(key)->spec, Attachment("lan", "pod.eth0"));
  EXPECT_EQ(store_->GetAttachment(key)->etag, *etag);
  EXPECT_EQ(store_->Snapshot().tunnels.size(), 1u);
  EXPECT_EQ(store_->Snapshot().networks.size(), 1u);
  EXPECT_EQ(store_->Snapshot().attachments.size(), 1u);
  EXPECT_THAT(store_->set_aside(), IsEmpty());
  EXPECT_THAT(Files(folder_ / "attachments"), ElementsAre("lan@pod.eth0.json"));
}

TEST_F(FileStoreTest, AttachmentsOfAnEarlierBootAreDroppedUnread) {
  Fill();
  WriteFile(folder_ / "attachments" / "lan@torn.json", "");
  WriteFile(folder_ / "boot", "another boot\n");
  Open();
  EXPECT_THAT(store_->Snapshot().attachments, IsEmpty());
  EXPECT_THAT(Files(folder_ / "attachments"), IsEmpty());
  EXPECT_THAT(store_->set_aside(), IsEmpty());
  EXPECT_EQ(store_->Snapshot().tunnels.size(), 2u);
  EXPECT_EQ(store_->Snapshot().networks.size(), 1u);
  // From now on they are of this boot.
  ASSERT_TRUE(store_->PutAttachment(Attachment("lan", "pod.eth0")).ok());
  Open();
  EXPECT_EQ(store_->Snapshot().attachments.size(), 1u);
}

TEST_F(FileStoreTest, AttachmentsOfAnUnknownBootAreKept) {
  Fill();
  fs::remove(folder_ / "boot");
  Open();
  EXPECT_EQ(store_->Snapshot().attachments.size(), 1u);
}

TEST_F(FileStoreTest, EveryPutGivesAnotherEtag) {
  Open();
  const auto first = store_->PutTunnel(Tunnel("a"));
  const auto second = store_->PutTunnel(Tunnel("a"));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(*first, *second);
  EXPECT_EQ(store_->GetTunnel("a")->etag, *second);
}

TEST_F(FileStoreTest, ASnapshotDoesNotChange) {
  Open();
  ASSERT_TRUE(store_->PutTunnel(Tunnel("a", "old")).ok());
  const Desired before = store_->Snapshot();
  ASSERT_TRUE(store_->PutTunnel(Tunnel("a", "new")).ok());
  ASSERT_TRUE(store_->PutTunnel(Tunnel("b")).ok());
  EXPECT_THAT(before.tunnels, SizeIs(1));
  EXPECT_EQ(before.tunnels.at("a")->spec.comment, "old");
}

TEST_F(FileStoreTest, DeletesForEverAndTwice) {
  Fill();
  Open();
  EXPECT_TRUE(store_->DeleteTunnel("a").ok());
  EXPECT_TRUE(store_->DeleteTunnel("a").ok());
  EXPECT_TRUE(store_->DeleteNetwork("lan").ok());
  EXPECT_TRUE(store_->DeleteAttachment({"lan", "pod.eth0"}).ok());
  EXPECT_EQ(store_->GetTunnel("a"), nullptr);
  Open();
  EXPECT_EQ(store_->GetTunnel("a"), nullptr);
  EXPECT_NE(store_->GetTunnel("b"), nullptr);
  EXPECT_EQ(store_->GetNetwork("lan"), nullptr);
  EXPECT_EQ(store_->GetAttachment({"lan", "pod.eth0"}), nullptr);
}

TEST_F(FileStoreTest, DeletesAnAttachmentOnlyWithItsPresentEtag) {
  Open();
  const AttachmentKey key{"lan", "x"};
  const auto old = store_->PutAttachment(Attachment("lan", "x"));
  const auto now = store_->PutAttachment(Attachment("lan", "x"));
  ASSERT_TRUE(old.ok() && now.ok());
  EXPECT_TRUE(store_->DeleteAttachment(key, *old).ok());
  EXPECT_NE(store_->GetAttachment(key), nullptr);
  EXPECT_TRUE(store_->DeleteAttachment(key, *now).ok());
  EXPECT_EQ(store_->GetAttachment(key), nullptr);
  EXPECT_TRUE(store_->DeleteAttachment(key, *now).ok());
}

TEST_F(FileStoreTest, RefusesAFolderThatIsOpenAndTakesItAfterwards) {
  Open();
  const auto second = TryOpen(folder_);
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("another agent"));
  Open();
}

TEST_F(FileStoreTest, RefusesAFolderThatCannotBeMade) {
  WriteFile(root_ / "file", "");
  EXPECT_FALSE(TryOpen(root_ / "file").ok());
  EXPECT_FALSE(TryOpen(root_ / "no" / "such").ok());
}

// Whatever happens to one file, it is set aside whole and all others live on.
TEST_F(FileStoreTest, SetsAsideAFileCutAnywhereAndKeepsTheRest) {
  Fill();
  const fs::path file = folder_ / "tunnels" / "a.json";
  const std::string good = ReadFile(file);
  for (size_t size = 0; size < good.size(); ++size) {
    WriteFile(file, good.substr(0, size));
    Open();
    ASSERT_THAT(store_->set_aside(), SizeIs(1)) << size;
    const SetAside aside = store_->set_aside()[0];
    EXPECT_EQ(aside.resource, "tunnels/a");
    EXPECT_EQ(ReadFile(aside.file), good.substr(0, size));
    EXPECT_FALSE(fs::exists(file));
    const Desired desired = store_->Snapshot();
    EXPECT_THAT(desired.tunnels, SizeIs(1));
    EXPECT_THAT(desired.networks, SizeIs(1));
    EXPECT_THAT(desired.attachments, SizeIs(1));
    EXPECT_THAT(desired.protected_links, ElementsAre("a"));
    store_.reset();
    fs::remove(aside.file);
  }
}

TEST_F(FileStoreTest, SetsAsideWhatIsDamagedMisnamedOrInvalid) {
  Fill();
  const std::string good = ReadFile(folder_ / "tunnels" / "a.json");
  std::string flipped = good;
  flipped[flipped.size() - 2] ^= 1;
  TunnelSpec invalid = Tunnel("invalid");
  invalid.tunnel_id = 65536;
  const fs::path tunnels = folder_ / "tunnels";
  WriteFile(tunnels / "flipped.json", flipped);
  WriteFile(tunnels / "renamed.json", good);
  WriteFile(tunnels / "text.json", "not a state file\n");
  WriteFile(tunnels / "noparse.json", MakeEnvelope({"0", "{"}));
  WriteFile(tunnels / "invalid.json",
            MakeEnvelope({"0", LineCodec().Encode(invalid)}));
  WriteFile(folder_ / "networks" / "net.json", "");
  WriteFile(folder_ / "attachments" / "lan@bad.json", "");
  WriteFile(folder_ / "attachments" / "nokey.json", "");
  Open();
  std::vector<std::string> resources;
  for (const SetAside& aside : store_->set_aside()) {
    resources.push_back(aside.resource);
    EXPECT_FALSE(aside.reason.empty());
    EXPECT_TRUE(fs::exists(aside.file)) << aside.file;
  }
  EXPECT_THAT(
      resources,
      ElementsAre("tunnels/flipped", "tunnels/invalid", "tunnels/noparse",
                  "tunnels/renamed", "tunnels/text", "networks/net",
                  "networks/lan/attachments/bad", "attachments/nokey"));
  const Desired desired = store_->Snapshot();
  EXPECT_THAT(desired.protected_links,
              ElementsAre("flipped", "invalid", "lan", "net", "noparse",
                          "renamed", "text"));
  EXPECT_THAT(desired.tunnels, SizeIs(2));
  EXPECT_THAT(desired.networks, SizeIs(1));
  EXPECT_THAT(desired.attachments, SizeIs(1));
}

TEST_F(FileStoreTest, ProtectsALinkUntilItsResourceIsMadeAnewOrDeleted) {
  Fill();
  WriteFile(folder_ / "tunnels" / "a.json", "");
  WriteFile(folder_ / "networks" / "lan.json", "");
  Open();
  EXPECT_THAT(store_->Snapshot().protected_links, ElementsAre("a", "lan"));
  // Still so at the next start, and reported.
  Open();
  EXPECT_THAT(store_->Snapshot().protected_links, ElementsAre("a", "lan"));
  EXPECT_THAT(store_->set_aside(), SizeIs(2));

  ASSERT_TRUE(store_->PutTunnel(Tunnel("a")).ok());
  EXPECT_THAT(store_->Snapshot().protected_links, ElementsAre("lan"));
  EXPECT_THAT(store_->set_aside(), SizeIs(1));
  ASSERT_TRUE(store_->DeleteNetwork("lan").ok());
  EXPECT_THAT(store_->Snapshot().protected_links, IsEmpty());
  Open();
  EXPECT_THAT(store_->Snapshot().protected_links, IsEmpty());
  EXPECT_THAT(Files(folder_ / "corrupt"), ElementsAre("tunnels@a.json.1"));
  // Deleting the tunnel now must not bring the old protection back.
  ASSERT_TRUE(store_->DeleteTunnel("a").ok());
  EXPECT_THAT(store_->Snapshot().protected_links, IsEmpty());
  EXPECT_THAT(Files(folder_ / "corrupt"), IsEmpty());
}

TEST_F(FileStoreTest, DeletesAnInlineNetworkThatNobodyUses) {
  Open();
  NetworkSpec network = Network("site");
  network.ports.push_back({.tunnel = "s1"});
  network.source = kInlineSource;
  TunnelSpec tunnel = Tunnel("s1");
  tunnel.source = kInlineSource;
  ASSERT_TRUE(store_->PutAttachment(Attachment("site", "pod")).ok());
  ASSERT_TRUE(store_->PutNetwork(network).ok());
  ASSERT_TRUE(store_->PutTunnel(tunnel).ok());
  ASSERT_TRUE(store_->PutNetwork(Network("lan")).ok());
  Open();
  EXPECT_THAT(*store_->DeleteUnusedNetwork("site"), IsEmpty());
  EXPECT_NE(store_->GetNetwork("site"), nullptr);
  ASSERT_TRUE(store_->DeleteAttachment({"site", "pod"}).ok());
  EXPECT_THAT(*store_->DeleteUnusedNetwork("site"), ElementsAre("s1"));
  EXPECT_EQ(store_->GetNetwork("site"), nullptr);
  EXPECT_EQ(store_->GetTunnel("s1"), nullptr);
  // A client's is not for it.
  EXPECT_THAT(*store_->DeleteUnusedNetwork("lan"), IsEmpty());
  EXPECT_NE(store_->GetNetwork("lan"), nullptr);
  Open();
  EXPECT_EQ(store_->GetNetwork("site"), nullptr);
  EXPECT_EQ(store_->GetTunnel("s1"), nullptr);
}

TEST_F(FileStoreTest, NeverOverwritesWhatWasSetAside) {
  for (const char* content : {"one", "two"}) {
    Fill();
    WriteFile(folder_ / "tunnels" / "a.json", content);
    Open();
  }
  EXPECT_EQ(ReadFile(folder_ / "corrupt" / "tunnels@a.json.1"), "one");
  EXPECT_EQ(ReadFile(folder_ / "corrupt" / "tunnels@a.json.2"), "two");
}

TEST_F(FileStoreTest, RefusesToStartOnANewerFormatAndTouchesNothing) {
  Fill();
  const fs::path file = folder_ / "tunnels" / "b.json";
  const std::string newer = MakeEnvelope({"0", "?"}, kStateVersion + 1);
  WriteFile(file, newer);
  const auto opened = TryOpen(folder_);
  EXPECT_TRUE(absl::IsFailedPrecondition(opened.status())) << opened.status();
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("b.json"));
  EXPECT_EQ(ReadFile(file), newer);
  EXPECT_THAT(Files(folder_ / "corrupt"), IsEmpty());
}

TEST_F(FileStoreTest, RemovesLeftoverTemporariesAndLeavesStrangersAlone) {
  Fill();
  WriteFile(folder_ / "tunnels" / ".new-a.json", "half");
  WriteFile(folder_ / "tunnels" / "README", "hello");
  fs::create_directory(folder_ / "tunnels" / "folder.json");
  Open();
  EXPECT_THAT(Files(folder_ / "tunnels"),
              ElementsAre("README", "a.json", "b.json", "folder.json"));
  EXPECT_THAT(store_->set_aside(), IsEmpty());
}

// A file size limit makes write(2) fail, as a quota does.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    old_handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    rlimit limit = old_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    ::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_;
  sighandler_t old_handler_;
};

TEST_F(FileStoreTest, ChangesNothingWhereAFileCannotBeWritten) {
  Fill();
  Open();
  const std::string etag = store_->GetTunnel("a")->etag;
  absl::Status update, create;
  {
    FileSizeLimit limit(20);
    update = store_->PutTunnel(Tunnel("a", "changed")).status();
    create = store_->PutTunnel(Tunnel("c")).status();
  }
  EXPECT_TRUE(absl::IsUnavailable(update)) << update;
  EXPECT_TRUE(absl::IsUnavailable(create)) << create;
  EXPECT_THAT(std::string(update.message()), HasSubstr("File too large"));
  EXPECT_EQ(store_->GetTunnel("a")->spec.comment, "first");
  EXPECT_EQ(store_->GetTunnel("a")->etag, etag);
  EXPECT_EQ(store_->GetTunnel("c"), nullptr);
  EXPECT_THAT(Files(folder_ / "tunnels"), ElementsAre("a.json", "b.json"));
  Open();
  EXPECT_EQ(store_->GetTunnel("a")->spec.comment, "first");
  EXPECT_EQ(store_->GetTunnel("a")->etag, etag);
}

TEST_F(FileStoreTest, SaysUnavailableWhereTheFolderIsGone) {
  Open();
  fs::remove_all(folder_ / "tunnels");
  EXPECT_TRUE(absl::IsUnavailable(store_->PutTunnel(Tunnel("a")).status()));
  EXPECT_EQ(store_->GetTunnel("a"), nullptr);
}

// In a child with its own mounts; its exit code tells how it went.
int OnAFullDisk(const fs::path& folder) {
  if (::unshare(CLONE_NEWNS) != 0 &&
      ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
    return 77;
  }
  ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  fs::create_directory(folder);
  if (::mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=128k") != 0) return 77;
  auto store = TryOpen(folder);
  if (!store.ok()) return 1;
  std::vector<std::string> stored;
  absl::Status status;
  while (status.ok() && stored.size() < 1000) {
    const std::string id = absl::StrCat("t", stored.size());
    status = (*store)->PutTunnel(Tunnel(id)).status();
    if (status.ok()) stored.push_back(id);
  }
  if (!absl::IsUnavailable(status) || stored.empty()) return 2;
  if ((*store)->Snapshot().tunnels.size() != stored.size()) return 3;
  // Deleting needs no space, and what it frees can be used.
  if (!(*store)->DeleteTunnel(stored.back()).ok()) return 4;
  if (!(*store)->PutTunnel(Tunnel("again")).ok()) return 5;
  store->reset();
  store = TryOpen(folder);
  if (!store.ok() || !(*store)->set_aside().empty()) return 6;
  return (*store)->Snapshot().tunnels.size() == stored.size() ? 0 : 7;
}

TEST_F(FileStoreTest, SurvivesAFullDisk) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(OnAFullDisk(folder_));
  int status;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    GTEST_SKIP() << "no mount namespace or tmpfs is to be had here";
  }
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// Writes for ever; killed in the middle of it.
[[noreturn]] void WriteUntilKilled(const fs::path& folder, int ready_fd) {
  auto store = TryOpen(folder);
  if (!store.ok()) ::_exit(1);
  for (int i = 0;; ++i) {
    const std::string id = absl::StrCat("t", i % 7);
    if (i % 5 == 4) {
      if (!(*store)->DeleteTunnel(id).ok()) ::_exit(2);
    } else if (!(*store)
                    ->PutTunnel(Tunnel(id, std::string(i % 250, 'x')))
                    .ok()) {
      ::_exit(3);
    }
    if (i >= 20 && ::write(ready_fd, "x", 1) != 1) ::_exit(4);
  }
}

TEST_F(FileStoreTest, HoldsOnlyWholeFilesAfterAKill) {
  for (int round = 0; round < 20; ++round) {
    int pipe_fds[2];
    ASSERT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) WriteUntilKilled(folder_, pipe_fds[1]);
    ::close(pipe_fds[1]);
    // Another number of writes in every round.
    std::string seen(1 + round, ' ');
    size_t got = 0;
    while (got < seen.size()) {
      const ssize_t n = ::read(pipe_fds[0], seen.data(), seen.size() - got);
      if (n <= 0) break;
      got += static_cast<size_t>(n);
    }
    ::kill(child, SIGKILL);
    int status;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ::close(pipe_fds[0]);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit " << WEXITSTATUS(status);
    Open();
    EXPECT_THAT(store_->set_aside(), IsEmpty());
    EXPECT_FALSE(store_->Snapshot().tunnels.empty());
    store_.reset();
  }
}

TEST_F(FileStoreTest, ReadersNeverSeeAHalfDoneChange) {
  Open();
  ASSERT_TRUE(store_->PutTunnel(Tunnel("a", "0")).ok());
  std::atomic<bool> done{false};
  std::thread reader([&] {
    int last = 0;
    while (!done) {
      const Desired desired = store_->Snapshot();
      const int now = std::stoi(desired.tunnels.at("a")->spec.comment);
      EXPECT_GE(now, last);
      last = now;
    }
  });
  for (int i = 1; i < 100; ++i) {
    EXPECT_TRUE(store_->PutTunnel(Tunnel("a", absl::StrCat(i))).ok());
  }
  done = true;
  reader.join();
}

TEST_F(FileStoreTest, StoresAThousandTunnels) {
  Open();
  const absl::Time start = absl::Now();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(store_->PutTunnel(Tunnel(absl::StrCat("t", i))).ok());
  }
  const absl::Time written = absl::Now();
  Open();
  EXPECT_THAT(store_->Snapshot().tunnels, SizeIs(1000));
  RecordProperty("write_ms",
                 static_cast<int>(absl::ToInt64Milliseconds(written - start)));
  std::cout << "1000 tunnels: written in " << written - start << ", read in "
            << absl::Now() - written << "\n";
}

}  // namespace
}  // namespace eoip
