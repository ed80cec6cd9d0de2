// An index on disk whose files a test changes.
#pragma once

#include <doctest/doctest.h>

#include <dupq/index.hpp>
#include <filesystem>
#include <string>

#include "made_up_index.hpp"
#include "support/fixtures.hpp"
#include "unit/temporary_folder.hpp"

namespace made_up {

/// Two segments, one of them with removed rows.
struct two_segments {
  temporary_folder temporary;
  std::string folder = temporary.file("i");

  two_segments() {
    auto w = dupq::index_writer::create(folder, model());
    REQUIRE(w);
    REQUIRE(add(*w, entries(0, 19)));
    REQUIRE(w->remove({"id4"}));
    REQUIRE(add(*w, entries(19, 2)));
    REQUIRE(w->commit());
  }
  std::string bytes(const std::string& name) const { return fixtures::read_file(folder + '/' + name); }
  void write(const std::string& name, const std::string& content) const {
    std::filesystem::remove(folder + '/' + name);
    temporary.write("i/" + name, content);
  }
};

}  // namespace made_up
