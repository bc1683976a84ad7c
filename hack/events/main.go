// The program events prints rating events, one a line, of the movies that seed puts. They are for ratingproducer.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/pflag"
)

// event is an event as it travels on Kafka.
type event struct {
	Version    int       `json:"version"`
	ID         string    `json:"eventId"`
	Type       string    `json:"eventType"`
	UserID     string    `json:"userId"`
	RecordID   string    `json:"recordId"`
	RecordType string    `json:"recordType"`
	Value      int       `json:"value"`
	OccurredAt time.Time `json:"occurredAt"`
}

func main() {
	count := pflag.Int("count", 100_000, "how many events")
	users := pflag.Int("users", 50_000, "how many users rate; more events than users and movies replace ratings")
	films := pflag.StringSlice("movies", []string{
		"metropolis", "modern-times", "casablanca", "tokyo-story", "seven-samurai", "vertigo",
		"breathless", "playtime", "2001", "alien", "spirited-away", "parasite",
	}, "ids of the movies that are rated, or how many to make up")
	pflag.Parse()
	if err := write(os.Stdout, *count, *users, movies(*films), time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, "events:", err)
		os.Exit(1)
	}
}

// movies are the ids, or so many if a number is given: a dozen keys would not reach every partition of a topic.
func movies(ids []string) []string {
	n, err := strconv.Atoi(ids[0])
	if len(ids) != 1 || err != nil || n < 1 {
		return ids
	}
	made := make([]string, n)
	for i := range made {
		made[i] = fmt.Sprintf("tt%07d", i)
	}
	return made
}

// write spreads the events over users and movies, so that each pair comes once before any comes again.
func write(out io.Writer, count, users int, movies []string, began time.Time) error {
	if users < 1 {
		return fmt.Errorf("--users is %d, want at least 1", users)
	}
	buffered := bufio.NewWriter(out)
	lines := json.NewEncoder(buffered)
	run := strconv.FormatInt(began.UnixNano(), 36)
	for n := range count {
		user := n % users
		if err := lines.Encode(event{
			Version: 2, ID: run + "-" + strconv.Itoa(n), Type: "put", UserID: "viewer-" + strconv.Itoa(user),
			RecordID: movies[(user+n/users)%len(movies)], RecordType: "movie", Value: n%5 + 1,
			OccurredAt: began.Add(time.Duration(n) * time.Microsecond).UTC(),
		}); err != nil {
			return err
		}
	}
	return buffered.Flush()
}
