// Words of one kind: with another one of its kind in its place a question stays sensible, and asks another thing.
#pragma once

#include <span>
#include <string_view>

namespace dupq_tool {
namespace things {

inline constexpr std::string_view countries[] = {
    "India",   "China",  "Canada",  "Germany", "Australia",   "Japan",  "Russia",     "Pakistan", "France",   "Italy",
    "Brazil",  "Mexico", "Spain",   "Ireland", "Switzerland", "Sweden", "Norway",     "Turkey",   "Iran",     "Israel",
    "Egypt",   "Nepal",  "Nigeria", "Poland",  "Singapore",   "Dubai",  "Bangladesh", "Malaysia", "Thailand", "Vietnam",
    "Austria", "Greece", "Ukraine", "Denmark", "Argentina",   "Chile",  "Kenya",      "Portugal", "Finland",  "Iraq",
};
inline constexpr std::string_view cities[] = {
    "Delhi",  "Mumbai",  "Bangalore", "Pune",   "Hyderabad", "Chennai", "Kolkata", "London", "Paris",
    "Sydney", "Toronto", "Chicago",   "Boston", "Seattle",   "Austin",  "Houston", "Berlin", "Tokyo",
};
inline constexpr std::string_view languages[] = {
    "English", "French", "German", "Spanish", "Hindi", "Chinese", "Japanese", "Russian", "Arabic", "Italian", "Korean",
};
inline constexpr std::string_view programming[] = {"Java", "Python", "C++",  "PHP",  "JavaScript",
                                                   "Ruby", "C#",     "Perl", "Swift"};
inline constexpr std::string_view companies[] = {
    "Google",   "Facebook", "Amazon",    "Apple",    "Microsoft", "Uber",    "Twitter",
    "Flipkart", "Snapchat", "Instagram", "WhatsApp", "YouTube",   "Netflix", "LinkedIn",
    "Quora",    "Tumblr",   "Skype",     "Gmail",    "Spotify",
};
inline constexpr std::string_view systems[] = {"Windows", "Linux", "Android", "Ubuntu", "macOS"};
inline constexpr std::string_view weekdays[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                "Friday", "Saturday", "Sunday"};
inline constexpr std::string_view months[] = {
    "January", "February", "April", "June", "July", "August", "September", "October", "November", "December",
};
inline constexpr std::string_view colours[] = {"red", "blue", "green", "yellow", "white", "pink", "purple", "brown"};
inline constexpr std::string_view subjects[] = {
    "physics",    "chemistry",  "biology",    "mathematics", "economics", "history",
    "psychology", "philosophy", "accounting", "law",         "geography", "sociology",
};
inline constexpr std::string_view engineers[] = {"mechanical", "electrical", "civil", "chemical", "aerospace"};
inline constexpr std::string_view foods[] = {
    "milk", "rice", "coffee", "tea",  "sugar", "honey",  "meat",
    "fish", "eggs", "bread",  "beer", "wine",  "cheese", "chocolate",
};
inline constexpr std::string_view animals[] = {"dog",   "cat",  "horse",  "cow",   "lion",
                                               "tiger", "bear", "rabbit", "snake", "bird"};
inline constexpr std::string_view bodies[] = {"hair", "skin",    "eyes",  "teeth", "face",
                                              "nose", "stomach", "hands", "feet",  "back"};
inline constexpr std::string_view ills[] = {
    "diabetes", "cancer",   "depression", "anxiety",   "asthma", "acne",
    "obesity",  "insomnia", "autism",     "arthritis", "flu",
};
inline constexpr std::string_view spans[] = {"day", "week", "month", "year", "hour", "minute"};
inline constexpr std::string_view several_spans[] = {"days", "weeks", "months", "years", "hours", "minutes"};
inline constexpr std::string_view devices[] = {"laptop",  "phone", "tablet", "camera",
                                               "printer", "TV",    "router", "computer"};
inline constexpr std::string_view works[] = {"book", "movie", "song", "novel", "game", "poem", "website", "podcast"};
inline constexpr std::string_view several_works[] = {"books", "movies", "songs",    "novels",
                                                     "games", "poems",  "websites", "apps"};
inline constexpr std::string_view professions[] = {
    "doctor", "lawyer", "teacher", "pilot", "engineer", "writer", "nurse", "actor", "singer", "programmer", "scientist",
};
inline constexpr std::string_view relatives[] = {"brother", "sister", "father", "mother",  "uncle",
                                                 "aunt",    "cousin", "son",    "daughter"};
inline constexpr std::string_view planets[] = {"Mars", "Venus", "Jupiter", "Saturn", "Mercury", "Neptune", "Pluto"};
inline constexpr std::string_view metals[] = {"gold", "silver", "copper", "iron", "platinum", "aluminium", "zinc"};
inline constexpr std::string_view instruments[] = {"guitar", "piano",    "violin", "flute",
                                                   "drums",  "keyboard", "ukulele"};
inline constexpr std::string_view sports[] = {"cricket", "football", "tennis",   "basketball",
                                              "chess",   "hockey",   "baseball", "golf"};
inline constexpr std::string_view measures[] = {
    "price", "weight", "size", "height", "length", "speed", "age", "colour", "temperature", "width", "depth", "value",
};
inline constexpr std::string_view aspects[] = {
    "causes",     "symptoms",      "effects", "uses",    "types",  "features",
    "advantages", "disadvantages", "risks",   "origins", "stages",
};
inline constexpr std::string_view facts[] = {
    "history", "purpose", "origin", "future", "structure", "definition", "importance", "function", "cause", "cost",
};

inline constexpr std::span<const std::string_view> kinds[] = {
    countries,     cities,   languages, programming,   companies,   systems,   weekdays, months,
    colours,       subjects, engineers, foods,         animals,     bodies,    ills,     spans,
    several_spans, devices,  works,     several_works, professions, relatives, planets,  metals,
    instruments,   sports,   measures,  aspects,       facts,
};

}  // namespace things
}  // namespace dupq_tool
