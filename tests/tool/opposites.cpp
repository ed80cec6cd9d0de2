#include <doctest/doctest.h>
#include <opposites.hpp>
#include <train_augment.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

using dupq_tool::question_edit;
using edited = std::optional<std::string>;

/// All that some keys make of it.
std::set<std::string> opposites(question_edit edit, std::string_view text) {
  std::set<std::string> all;
  for (std::uint64_t key = 0; key < 64; ++key)
    if (const edited one = dupq_tool::question_editor(text, key).opposite(edit)) all.insert(*one);
  return all;
}
std::set<std::string> paraphrases(std::string_view text) {
  std::set<std::string> all;
  for (std::uint64_t key = 0; key < 64; ++key)
    if (const edited one = dupq_tool::question_editor(text, key).paraphrase()) all.insert(*one);
  return all;
}

using texts = std::set<std::string>;

}  // namespace

TEST_CASE("opposites: words keep their punctuation and capitals") {
  const dupq_tool::question_words q("  \"Buy now\",  he said (or sell later)? ");
  CHECK(q.size() == 7);
  CHECK(q[0] == "buy");
  CHECK(q.ends(1));
  CHECK(q.capital(0));
  CHECK_FALSE(q.capital(2));
  CHECK(q.match(0, "buy now") == 2);
  CHECK(q.match(1, "now he") == 0);  // with something between them
  CHECK(q.replaced(0, 1, "sell") == "\"Sell now\", he said (or sell later)?");
  CHECK(q.exchanged(0, 2, 5, 2) == "\"sell later\", he said (or Buy now)?");
  CHECK(dupq_tool::question_words("").size() == 0);
  CHECK(dupq_tool::question_words(" ... ?! ").replaced(0, 1, "x") == "x... ?!");
}

TEST_CASE("opposites: words from the list, both ways, where they stand for themselves") {
  CHECK(opposites(question_edit::antonym, "How do I increase my water bill?") ==
        texts{"How do I decrease my water bill?"});
  CHECK(opposites(question_edit::antonym, "Who is the youngest king in history?") ==
        texts{"Who is the oldest king in history?"});
  CHECK(opposites(question_edit::antonym, "Uploading videos to a website: how?") ==
        texts{"Downloading videos to a website: how?"});
  CHECK(opposites(question_edit::antonym, "How can I turn off the radio?") == texts{"How can I turn on the radio?"});
  CHECK(opposites(question_edit::antonym, "How can I stop biting my nails?") ==
        texts{"How can I begin biting my nails?", "How can I start biting my nails?"});
  CHECK(opposites(question_edit::antonym, "How can I gain weight fast?") == texts{"How can I lose weight fast?"});
  // What a yes or a no would answer stays the same question.
  CHECK(opposites(question_edit::antonym, "Is it legal to own a tank?").empty());
  CHECK(opposites(question_edit::antonym, "Where is it legal to own a tank?") ==
        texts{"Where is it illegal to own a tank?"});
  // Idioms, words in another sense, and questions that have both words.
  CHECK(opposites(question_edit::antonym, "Why do people like rain?") == texts{"Why do people dislike rain?"});
  CHECK(opposites(question_edit::antonym, "What do boats like these cost?").empty());
  CHECK(opposites(question_edit::antonym, "What is open source software?").empty());
  CHECK(opposites(question_edit::antonym, "Where does this road start?").empty());
  CHECK(opposites(question_edit::antonym, "Why do I lose my keys?").empty());
  CHECK(opposites(question_edit::antonym, "Do boys and girls learn alike?").empty());
}

TEST_CASE("opposites: numbers") {
  for (const auto& one : opposites(question_edit::number, "How far is 12 km on foot?")) {
    CHECK(one.starts_with("How far is "));
    CHECK(one.ends_with(" km on foot?"));
    CHECK(one != "How far is 12 km on foot?");
  }
  CHECK(opposites(question_edit::number, "How far is 12 km on foot?").size() > 2);
  for (const auto& one : opposites(question_edit::number, "What happened in Rome in 1953?")) {
    const int year = std::stoi(one.substr(one.size() - 5));
    CHECK(year > 1930);
    CHECK(year < 1953);
  }
  for (const auto& one : opposites(question_edit::number, "Which games run on Android 9?")) {
    const int version = std::stoi(one.substr(one.rfind(' ')));
    CHECK((version == 8 || version == 10));
  }
  CHECK_FALSE(opposites(question_edit::number, "How do five people share a boat?").empty());
  CHECK(opposites(question_edit::number, "How are the two connected?").empty());
  CHECK(opposites(question_edit::number, "What does 24/7 mean?").empty());
  CHECK(opposites(question_edit::number, "What are the top 10 songs?").empty());
  CHECK(opposites(question_edit::number, "Who lives at number 007?").empty());
}

TEST_CASE("opposites: negation, where it turns what is asked") {
  CHECK(opposites(question_edit::negation, "Why do cows sleep in the rain?") ==
        texts{"Why don't cows sleep in the rain?"});
  CHECK(opposites(question_edit::negation, "Why isn't this lamp on?") == texts{"Why is this lamp on?"});
  CHECK(opposites(question_edit::negation, "Why do some birds not fly?") == texts{"Why do some birds fly?"});
  CHECK(opposites(question_edit::negation, "What should I say to him?") == texts{"What should I not say to him?"});
  CHECK(opposites(question_edit::negation, "What happens if you drink sea water?") ==
        texts{"What happens if you don't drink sea water?"});
  CHECK(opposites(question_edit::negation, "Do cows sleep in the rain?").empty());
  CHECK(opposites(question_edit::negation, "Why is 3 prime but not 9?").empty());
}

TEST_CASE("opposites: another thing of its kind") {
  const auto days = opposites(question_edit::thing, "Which shops open on a Monday?");
  CHECK(days.size() == 6);
  CHECK(days.contains("Which shops open on a Sunday?"));
  for (const auto& one : opposites(question_edit::thing, "How do I descale a kettle in Chile?"))
    CHECK(one.starts_with("How do I descale a kettle in "));
  CHECK_FALSE(opposites(question_edit::thing, "How do I descale a kettle in Chile?").empty());
  CHECK(opposites(question_edit::thing, "Does a cow talk?").size() == 9);
  // Two of a kind, and parts of longer names.
  CHECK(opposites(question_edit::thing, "Do a cow and a horse talk?").empty());
  CHECK(opposites(question_edit::thing, "Who was born on New Year?").empty());
  CHECK(opposites(question_edit::thing, "Who directed the Green Mile?").empty());
}

TEST_CASE("opposites: roles that are exchanged") {
  CHECK(opposites(question_edit::roles, "How do I travel from Oslo to Bergen?") ==
        texts{"How do I travel from Bergen to Oslo?"});
  CHECK(opposites(question_edit::roles, "How do I convert steam into water?") ==
        texts{"How do I convert water into steam?"});
  CHECK(opposites(question_edit::roles, "Why is tea cheaper than coffee?") == texts{"Why is coffee cheaper than tea?"});
  CHECK(opposites(question_edit::roles, "Do cats fear dogs?") == texts{"Do dogs fear cats?"});
  CHECK(opposites(question_edit::roles, "Did Norway defeat Sweden?") == texts{"Did Sweden defeat Norway?"});
  CHECK(opposites(question_edit::roles, "What do teachers think about students?") ==
        texts{"What do students think about teachers?"});
  CHECK(opposites(question_edit::roles, "Why do people choose trains over planes?") ==
        texts{"Why do people choose planes over trains?"});
  // No sense, no grammar, no other question.
  CHECK(opposites(question_edit::roles, "Can hamsters eat carrots?").empty());
  CHECK(opposites(question_edit::roles, "Does a cat fear dogs?").empty());
  CHECK(opposites(question_edit::roles, "Why do I wake up from time to time?").empty());
  CHECK(opposites(question_edit::roles, "What is the distance from Oslo to Bergen?").empty());
  CHECK(opposites(question_edit::roles, "Is he taller than me?").empty());
}

TEST_CASE("opposites: the same in other words") {
  CHECK(paraphrases("Where can I purchase a kite?") == texts{"Where can I buy a kite?"});
  CHECK(paraphrases("How do I fix a kite?") == texts{"How can I fix a kite?"});
  CHECK(paraphrases("Who has 3 kites?") == texts{"Who has three kites?"});
  CHECK(paraphrases("Who has three kites?") == texts{"Who has 3 kites?"});
  CHECK(paraphrases("Name the difference between kites and drones!") ==
        texts{"Name the difference between drones and kites!"});
  CHECK(paraphrases("Should I learn Java or Python?") == texts{"Should I learn Python or Java?"});
  CHECK(paraphrases("How far is it from Oslo to Bergen?") == texts{"How far is it from Bergen to Oslo?"});
  CHECK(paraphrases("Where do kites fly?").empty());
}

TEST_CASE("opposites: the same in another frame") {
  const auto all = [](std::string_view text) {
    texts found;
    for (std::uint64_t key = 0; key < 256; ++key)
      if (const edited one = dupq_tool::question_editor(text, key).reframed()) found.insert(*one);
    return found;
  };
  CHECK(all("How old is the Eiffel tower?") == texts{"What is the age of the Eiffel tower?"});
  CHECK(all("Why did the kite fall?") == texts{"What made the kite fall?", "For what reason did the kite fall?"});
  CHECK(all("How much does a kite weigh?") == texts{"How heavy is a kite?", "What is the weight of a kite?"});
  const auto ways = all("How do I fold a kite?");
  CHECK(ways.size() > 10);
  CHECK(ways.contains("I have to fold a kite. Is there a good way?"));
  CHECK(ways.contains("How can one fold a kite?"));
  // Whose kite it is stays plain.
  CHECK_FALSE(all("How do I fold my kite?").contains("How can one fold my kite?"));
  CHECK(all("How do I?").empty());
  CHECK(all("How old is he, and how old is she?").empty());
  CHECK(all("Kites: how do I fold them?").empty());
  for (const auto group : dupq_tool::frames::same_questions)
    for (const auto frame : group) {
      CAPTURE(frame);
      CHECK(dupq_tool::filled(frame, "its kite") != frame);
      CHECK(std::count(frame.begin(), frame.end(), 'X') == 1);
      if (frame.back() == '?' && frame.find('.') == frame.npos)
        CHECK(dupq_tool::slot_of(dupq_tool::question_words(dupq_tool::filled(frame, "its kite")), frame) == "its kite");
    }
}

TEST_CASE("opposites: two names, which change places") {
  const auto names = [](std::string_view text) {
    const auto two = dupq_tool::question_editor(text, 1).names();
    return two ? (*two)[0] + "/" + (*two)[1] : std::string();
  };
  CHECK(names("What is the difference between a kite and a drone?") == "a kite/a drone");
  CHECK(names("Which is better: Oslo or Bergen?") == "Oslo/Bergen");
  CHECK(names("Why do people like Oslo over Bergen?") == "Oslo/Bergen");
  CHECK(names("What is the difference between red and blue kites?").empty());
  CHECK(names("What is the difference between kites and drones?").empty());
  CHECK(names("What is the difference between 3% and 4%?").empty());
  CHECK(names("Why do kites fly?").empty());
  CHECK(names("between and").empty());
  for (const auto group : dupq_tool::frames::of_two_names) {
    CHECK(group.size() > 1);
    for (const auto frame : group) {
      CAPTURE(frame);
      CHECK(dupq_tool::filled(frame, "Oslo", "Bergen") != dupq_tool::filled(frame, "Bergen", "Oslo"));
      CHECK(dupq_tool::filled(frame, "Oslo", "Bergen").find(" Bergen") != std::string::npos);
    }
  }
}

TEST_CASE("opposites: a change is made to the duplicate as well, where it has the words") {
  using dupq_tool::changed_alike;
  CHECK(changed_alike("How do I buy a kite?", "How do I sell a kite?", "Where can one buy kites?") ==
        "Where can one sell kites?");
  CHECK_FALSE(changed_alike("How do I buy a kite?", "How do I sell a kite?", "Where are kites sold?"));
  CHECK_FALSE(changed_alike("How do I buy a kite?", "How do I sell a kite?", "Do I buy or sell kites?"));
  CHECK_FALSE(changed_alike("How do I buy a kite?", "How do I sell a kite?", "Buy this or buy that?"));
  CHECK_FALSE(changed_alike("Who is here?", "Who is not here?", "Is who here?"));
  CHECK_FALSE(changed_alike("", "", ""));
}

TEST_CASE("opposites: duplicates in other words") {
  using dupq_tool::in_other_words;
  CHECK(in_other_words("Why do kites fly?", "What keeps a kite in the air?"));
  CHECK_FALSE(in_other_words("Why do kites fly?", "why do KITES fly so high"));
  CHECK_FALSE(in_other_words("", ""));
  const std::vector<std::string_view> first(9, "Why do kites fly?"), second(9, "What keeps a kite in the air?");
  const std::vector<std::uint8_t> labels{1, 0, 1, 1, 0, 1, 1, 0, 1};
  const std::vector<std::uint32_t> rows{0, 1, 2, 3, 4, 5, 7};
  const auto far = dupq_tool::far_duplicates({first, second, labels, rows}, 9, 42);
  CHECK(std::set<std::uint32_t>(far.begin(), far.end()) == std::set<std::uint32_t>{0, 2, 3, 5});
  CHECK(dupq_tool::far_duplicates({first, second, labels, rows}, 2, 42).size() == 2);
}

TEST_CASE("opposites: anything may be edited, and nothing is edited twice the same") {
  for (const std::string_view odd :
       {"", " ", "?", "Why", "why do", "from to", "what should I", "is than", "\xFF\xFE 7 kg", "between and",
        "why is better than", "or or or", "( ) [ ] ?", "a from the to the"})
    for (std::uint64_t key = 0; key < 4; ++key) {
      const dupq_tool::question_editor editor(odd, key);
      for (std::size_t k = 0; k < dupq_tool::question_edits; ++k)
        if (const auto one = editor.opposite(static_cast<question_edit>(k))) CHECK(*one != odd);
      if (const auto one = editor.paraphrase()) CHECK(*one != odd);
      if (const auto one = editor.reframed()) CHECK(*one != odd);
      CHECK_FALSE(editor.names());
    }
  std::string longest;
  for (int i = 0; i < 5000; ++i) longest += "why is a better than b ";
  CHECK_FALSE(dupq_tool::question_editor(longest, 1).opposite(question_edit::roles));
}

TEST_CASE("opposites: made pairs are three fifths opposites, and follow from the seed") {
  std::vector<std::string> kept;
  for (int i = 0; i < 60; ++i) {
    kept.push_back("How do I increase my score to " + std::to_string(20 + i) + " points?");
    kept.push_back("Why do cats fear dogs in town " + std::to_string(i) + "?");
    kept.push_back("Where can I purchase kite number " + std::to_string(i) + "?");
  }
  const std::vector<std::string_view> first(kept.begin(), kept.end()), second(kept.rbegin(), kept.rend());
  std::vector<std::uint8_t> labels(first.size());
  std::vector<std::uint32_t> rows;
  for (std::uint32_t i = 0; i < first.size(); ++i) {
    labels[i] = i % 3 == 0;
    if (i % 2 == 0) rows.push_back(i);
  }
  const auto made = dupq_tool::make_opposites({first, second, labels, rows}, 60, 42);
  CHECK(made.size() == 60);
  const auto same = std::count_if(made.begin(), made.end(), [](const auto& pair) { return pair.duplicate; });
  CHECK(same >= 18);
  CHECK(same <= 25);
  for (const auto& pair : made) CHECK(pair.first != pair.second);
  const auto equal = [](const auto& a, const auto& b) {
    return a.first == b.first && a.second == b.second && a.duplicate == b.duplicate;
  };
  CHECK(std::ranges::equal(made, dupq_tool::make_opposites({first, second, labels, rows}, 60, 42), equal));
  CHECK_FALSE(std::ranges::equal(made, dupq_tool::make_opposites({first, second, labels, rows}, 60, 43), equal));
  CHECK(dupq_tool::make_opposites({first, second, labels, rows}, 0, 42).empty());
  CHECK(dupq_tool::make_opposites({first, second, labels, {}}, 60, 42).empty());
}
