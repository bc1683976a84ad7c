//go:build integration

package consul_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"movieexample.com/fleet/test/parts"
)

func TestWatchKey(t *testing.T) {
	const key = "flags/movie"
	server := parts.StartConsul(t)
	kv := server.Client(t).KV()
	put := func(value string) {
		t.Helper()
		if _, err := kv.Put(&api.KVPair{Key: key, Value: []byte(value)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	r := registry(t, server)
	ctx, cancel := context.WithCancel(t.Context())
	heard, done := make(chan string, 100), make(chan struct{})
	go func() {
		defer close(done)
		r.WatchKey(ctx, key, func(value []byte, found bool, err error) { heard <- fmt.Sprintf("%q %v %v", value, found, err != nil) })
	}()
	wait := func(want string) {
		t.Helper()
		got := "nothing"
		for deadline := time.After(30 * time.Second); got != want; {
			select {
			case got = <-heard:
			case <-deadline:
				t.Fatalf("after 30 s the last that was heard is %s, want %s", got, want)
			}
		}
	}
	wait(`"" false false`)
	put("a: true")
	wait(`"a: true" true false`)
	put("")
	wait(`"" true false`)
	if _, err := kv.Delete(key, nil); err != nil {
		t.Fatal(err)
	}
	wait(`"" false false`)
	put("a: false")
	wait(`"a: false" true false`)
	server.Stop(t)
	wait(`"" false true`)
	server.Start(t)
	put("a: true")
	wait(`"a: true" true false`)
	cancel()
	<-done
}
