// A collection of texts on disk: add, remove, search, with a bi-encoder's vectors.
//
//   auto writer = dupq::index_writer::create("questions", *model, "model.gguf");   // or open("questions")
//   writer->add(*encoder, questions);      writer->commit();
//   auto index = dupq::index_reader::open("questions");
//   std::vector<float> query(index->dim());  encoder->encode("How do I learn C++?", query);
//   dupq::neighbour room[5];
//   for (const auto& hit : *index->search(query, room)) index->text(hit.row), index->id(hit.row), hit.score;
//
// An index is a folder: segments, which never change, and a manifest that is replaced as a whole. Any number of readers
// stand beside one writer. The same texts and model give the same files on every machine.
#pragma once

#include "index/reader.hpp"  // IWYU pragma: export
#include "index/writer.hpp"  // IWYU pragma: export
