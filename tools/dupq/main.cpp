// dupq, the command: finds the verb, runs it, and turns failures into one line and an exit status.
#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "failure.hpp"
#include "os.hpp"
#include "output_file.hpp"
#include "unfinished.hpp"
#include "verb.hpp"
#include "verb_calibrate.hpp"
#include "verb_cluster.hpp"
#include "verb_convert.hpp"
#include "verb_dedup.hpp"
#include "verb_distill.hpp"
#include "verb_encode.hpp"
#include "verb_eval.hpp"
#include "verb_export.hpp"
#include "verb_index.hpp"
#include "verb_info.hpp"
#include "verb_match.hpp"
#include "verb_score.hpp"
#include "verb_search.hpp"
#include "verb_tokenize.hpp"
#include "verb_train.hpp"

namespace dupq_tool {
namespace {

const std::vector<verb>& verbs() {
  static const std::vector<verb> all{convert_verb(),       export_verb(),       info_verb(),      tokenize_verb(),
                                     encode_verb(),        score_verb(),        eval_verb(),      calibrate_verb(),
                                     dedup_verb(),         index_create_verb(), index_add_verb(), index_remove_verb(),
                                     index_compact_verb(), index_info_verb(),   search_verb(),    match_verb(),
                                     cluster_verb(),       train_verb(),        distill_verb()};
  return all;
}

std::string version() {
  return "dupq " + std::to_string(DUPQ_VERSION_MAJOR) + '.' + std::to_string(DUPQ_VERSION_MINOR) + '.' +
         std::to_string(DUPQ_VERSION_PATCH) + '\n';
}

std::string help() {
  std::string text = "usage: dupq VERB ...\nDecides whether two questions are duplicates.\n\n";
  for (const verb& v : verbs())
    text += "  " + std::string(v.name) + std::string(15 - v.name.size(), ' ') + std::string(v.summary) + '\n';
  return text + "\n`dupq VERB --help` says more. \"-\" is standard input or output.\n";
}

std::string usage(const verb& v) { return "usage: dupq " + std::string(v.name) + ' ' + std::string(v.usage) + '\n'; }

std::string help(const verb& v) {
  return usage(v) + std::string(v.help) + std::string(v.reads_texts ? text_option_help : "") +
         std::string(v.runs_model ? model_option_help : "");
}

void print(const std::string& text) {
  output_file out("-");
  out.write(text);
  out.commit();
}

/// A handler for the signals that end a program: nothing half-written stays behind.
void clean_up(int signal) {
  unfinished::remove_all();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(std::span<const std::string> words, const verb& v) {
  for (const std::string& word : words) {
    if (word == "--") break;
    if (word == "--help" || word == "-h") return print(help(v));
  }
  std::vector<option> known = v.options;
  if (v.runs_model) known.insert(known.end(), std::begin(model_option_list), std::end(model_option_list));
  if (v.reads_texts) known.insert(known.end(), std::begin(text_option_list), std::end(text_option_list));
  v.run(arguments(words, known, v.least, v.most));
}

int fail(int status, const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return status;
}

int main_with(const std::vector<std::string>& words) {
  const verb* chosen = nullptr;
  try {
    if (words.empty()) return fail(2, "usage: dupq VERB ...\n`dupq --help` lists the verbs");
    if (words[0] == "--help" || words[0] == "-h") return print(help()), 0;
    if (words[0] == "--version") return print(version()), 0;
    const std::string two = words[0] + ' ' + (words.size() > 1 ? words[1] : "");
    std::string list;
    for (const verb& v : verbs()) {
      if (v.name == words[0] || v.name == two) chosen = &v;
      if (v.name.starts_with(words[0] + ' ')) list += (list.empty() ? "" : ", ") + std::string(v.name);
    }
    if (chosen == nullptr && !list.empty() && words.size() > 1 && (words[1] == "--help" || words[1] == "-h")) {
      for (const verb& v : verbs())
        if (v.name.starts_with(words[0] + ' ')) print(usage(v));
      return print("`dupq " + words[0] + " VERB --help` says more\n"), 0;
    }
    if (chosen == nullptr && !list.empty()) return fail(2, "dupq: " + list + "; `dupq --help` says what they do");
    if (chosen == nullptr) return fail(2, "dupq: no verb " + printable(words[0]) + "; `dupq --help` lists them");
    run(std::span(words).subspan(chosen->name == two ? 2 : 1), *chosen);
    return 0;
  } catch (const closed_pipe&) {
    return 0;
  } catch (const usage_error& e) {
    return fail(2, "dupq " + std::string(chosen->name) + ": " + e.what() + '\n' + usage(*chosen) + "`dupq " +
                       std::string(chosen->name) + " --help` says more");
  } catch (const std::bad_alloc&) {
    return fail(1, "dupq: not enough memory");
  } catch (const std::exception& e) {
    return fail(1, std::string("dupq: ") + e.what());
  }
}

}  // namespace
}  // namespace dupq_tool

int main(int argc, char** argv) {
  dupq_tool::os::prepare_process(dupq_tool::clean_up);
  return dupq_tool::main_with(dupq_tool::os::arguments(argc, argv));
}
