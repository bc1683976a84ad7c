package main

import metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"

// movie is one record to put, with ratings by users u1, u2, ….
type movie struct {
	metadata *metadatav1.Metadata
	ratings  []int32
}

func film(id, title, director string, year int32, description string, actors []string, ratings ...int32) movie {
	return movie{metadata: &metadatav1.Metadata{
		Id: id, Title: title, Director: director, Year: year, Description: description, Actors: actors,
	}, ratings: ratings}
}

// movies are a dozen that everybody may know.
func movies() []movie {
	return []movie{
		film("metropolis", "Metropolis", "Fritz Lang", 1927, "A city above ground lives on workers below it.", []string{"Brigitte Helm", "Alfred Abel"}, 5, 4, 5),
		film("modern-times", "Modern Times", "Charlie Chaplin", 1936, "The Tramp against the assembly line.", []string{"Charlie Chaplin", "Paulette Goddard"}, 5, 5),
		film("casablanca", "Casablanca", "Michael Curtiz", 1942, "Letters of transit, an old love and a piano.", []string{"Humphrey Bogart", "Ingrid Bergman"}, 5, 5, 4),
		film("tokyo-story", "Tokyo Story", "Yasujirō Ozu", 1953, "Old parents visit their busy children.", []string{"Chishū Ryū", "Setsuko Hara"}, 5, 4),
		film("seven-samurai", "Seven Samurai", "Akira Kurosawa", 1954, "A village hires seven men to keep its harvest.", []string{"Toshiro Mifune", "Takashi Shimura"}, 5, 5, 5),
		film("vertigo", "Vertigo", "Alfred Hitchcock", 1958, "A detective who fears heights follows a woman who is not there.", []string{"James Stewart", "Kim Novak"}, 4, 5),
		film("breathless", "Breathless", "Jean-Luc Godard", 1960, "A thief in Paris and a girl who sells newspapers.", []string{"Jean-Paul Belmondo", "Jean Seberg"}, 4, 3),
		film("playtime", "Playtime", "Jacques Tati", 1967, "Monsieur Hulot is lost in a city of glass.", []string{"Jacques Tati"}, 5),
		film("2001", "2001: A Space Odyssey", "Stanley Kubrick", 1968, "A black slab, a long journey and a calm computer.", []string{"Keir Dullea", "Gary Lockwood"}, 5, 3, 4),
		film("alien", "Alien", "Ridley Scott", 1979, "A freighter answers a signal it should have left alone.", []string{"Sigourney Weaver", "Tom Skerritt"}, 5, 5, 4),
		film("spirited-away", "Spirited Away", "Hayao Miyazaki", 2001, "A girl works in a bath house of spirits to free her parents.", []string{"Rumi Hiiragi", "Miyu Irino"}, 5, 5, 5, 5),
		film("parasite", "Parasite", "Bong Joon-ho", 2019, "One family after another finds work in the same house.", []string{"Song Kang-ho", "Cho Yeo-jeong"}, 5, 4, 5),
	}
}
