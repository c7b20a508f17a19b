// SPDX-License-Identifier: Apache-2.0
#include "daemon/cni_conf.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace eoip {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class CniConfTest : public testing::Test {
 protected:
  CniConfTest() {
    char pattern[] = "/tmp/eoip-conf-XXXXXX";
    root_ = ::mkdtemp(pattern);
    fs::create_directory(root_ / "net.d");
    folder_ = (root_ / "net.d").string();
  }
  ~CniConfTest() override { fs::remove_all(root_); }

  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(root_ / name) << text;
    return (root_ / name).string();
  }
  std::string Installed(const std::string& name) {
    std::ifstream file(root_ / "net.d" / name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  fs::path root_;
  std::string folder_;
};

TEST_F(CniConfTest, InstallsUnderTheSameNameAndLeavesNothingElse) {
  const std::string file = Write("10-lan.conflist", R"({"name": "lan"})");
  ASSERT_TRUE(InstallCniConf(file, folder_).ok());
  EXPECT_EQ(Installed("10-lan.conflist"), R"({"name": "lan"})");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
  const auto mode =
      fs::status(root_ / "net.d" / "10-lan.conflist").permissions();
  EXPECT_NE(mode & fs::perms::others_read, fs::perms::none);
}

TEST_F(CniConfTest, ReplacesAnOldOneAndLeavesTheSameAlone) {
  Write("net.d/10-lan.conflist", "old");
  const std::string file = Write("10-lan.conflist", "{}");
  ASSERT_TRUE(InstallCniConf(file, folder_).ok());
  EXPECT_EQ(Installed("10-lan.conflist"), "{}");
  const auto before = fs::last_write_time(root_ / "net.d" / "10-lan.conflist");
  ASSERT_TRUE(InstallCniConf(file, folder_).ok());
  EXPECT_EQ(fs::last_write_time(root_ / "net.d" / "10-lan.conflist"), before);
}

TEST_F(CniConfTest, AFailureNamesThePathAndChangesNothing) {
  const std::string file = Write("10-lan.conflist", "{}");
  // The name of the temporary file is taken by a folder.
  fs::create_directory(root_ / "net.d" / "10-lan.conflist.new");
  Write("net.d/10-lan.conflist", "old");
  const absl::Status status = InstallCniConf(file, folder_);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("10-lan.conflist.new"));
  EXPECT_EQ(Installed("10-lan.conflist"), "old");
  EXPECT_FALSE(InstallCniConf(file, folder_ + "/missing").ok());
}

TEST_F(CniConfTest, RefusesWhatRuntimesWouldNotRead) {
  EXPECT_TRUE(CheckCniConf(Write("a.conflist", "{}")).ok());
  EXPECT_TRUE(CheckCniConf(Write("a.json", R"({"a": [1]})")).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(CheckCniConf(Write("a.txt", "{}"))));
  EXPECT_TRUE(absl::IsInvalidArgument(CheckCniConf(Write("a.conf", "[]"))));
  EXPECT_TRUE(absl::IsInvalidArgument(CheckCniConf(Write("b.conf", "{"))));
  EXPECT_TRUE(
      absl::IsNotFound(CheckCniConf((root_ / "missing.conf").string())));
}

}  // namespace
}  // namespace eoip
