// The program seed puts a dozen movies with ratings into a running fleet and reads one back through movie.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "seed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	metadata := pflag.String("metadata", "127.0.0.1:8081", "gRPC address of metadata")
	rating := pflag.String("rating", "127.0.0.1:8082", "gRPC address of rating")
	movie := pflag.String("movie", "127.0.0.1:8083", "gRPC address of movie")
	timeout := pflag.Duration("timeout", 30*time.Second, "time for everything")
	pflag.Parse()
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	var connections []*grpc.ClientConn
	for _, address := range []string{*metadata, *rating, *movie} {
		c, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
		if err != nil {
			return fmt.Errorf("connect to %s: %w", address, err)
		}
		defer func() { _ = c.Close() }()
		connections = append(connections, c)
	}
	if err := put(ctx, metadatav1.NewMetadataServiceClient(connections[0]), ratingv1.NewRatingServiceClient(connections[1])); err != nil {
		return err
	}
	return read(ctx, moviev1.NewMovieServiceClient(connections[2]), "seven-samurai")
}

func put(ctx context.Context, metadata metadatav1.MetadataServiceClient, rating ratingv1.RatingServiceClient) error {
	all, ratings := movies(), 0
	for _, m := range all {
		if _, err := metadata.PutMetadata(ctx, &metadatav1.PutMetadataRequest{Metadata: m.metadata}); err != nil {
			return fmt.Errorf("put %s: %w", m.metadata.GetId(), err)
		}
		for i, value := range m.ratings {
			_, err := rating.PutRating(ctx, &ratingv1.PutRatingRequest{
				RecordType: "movie", RecordId: m.metadata.GetId(), UserId: fmt.Sprintf("u%d", i+1), Value: value,
			})
			if err != nil {
				return fmt.Errorf("rate %s: %w", m.metadata.GetId(), err)
			}
			ratings++
		}
	}
	fmt.Printf("put %d movies with %d ratings\n", len(all), ratings)
	return nil
}

func read(ctx context.Context, client moviev1.MovieServiceClient, id string) error {
	answer, err := client.GetMovieDetails(ctx, &moviev1.GetMovieDetailsRequest{MovieId: id})
	if err != nil {
		return fmt.Errorf("read %s through movie: %w", id, err)
	}
	d := answer.GetDetails()
	fmt.Printf("movie.v1.MovieService/GetMovieDetails %q: %s (%s, %d), rated %.2f by %d\n",
		id, d.GetTitle(), d.GetDirector(), d.GetYear(), d.GetRating().GetValue(), d.GetRating().GetCount())
	return nil
}
