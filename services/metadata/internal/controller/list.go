package controller

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/metadata/internal/model"
)

// defaultPage is the size of a page whose size nobody chose.
const defaultPage = 50

// page is what a page token holds: where the next page begins, and in which list.
type page struct {
	After    string `json:"after"`
	Director string `json:"director,omitempty"`
}

// List is one page of size records (0: 50) in the order of their ids, and the token of the next page, "" after the last. A
// page begins after the last id of the one before, so what is put in between moves nothing.
func (c *Controller) List(ctx context.Context, size int, token, director string) ([]model.Metadata, string, error) {
	if size == 0 {
		size = defaultPage
	}
	after, err := parse(token, director)
	if err != nil {
		return nil, "", err
	}
	list, err := c.repository.List(ctx, model.Query{After: after, Director: director, Limit: size + 1})
	if err != nil {
		return nil, "", err
	}
	if len(list) <= size {
		return list, "", nil
	}
	next, err := json.Marshal(page{After: list[size-1].ID, Director: director})
	return list[:size], base64.RawURLEncoding.EncodeToString(next), err
}

func parse(token, director string) (after string, err error) {
	if token == "" {
		return "", nil
	}
	var p page
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(text, &p) != nil || p.After == "" || p.Director != director {
		return "", problem.NewInvalid([]problem.Violation{{
			Field: "page_token", Description: "is no token of this list: take next_page_token of the page before, with the same director",
		}})
	}
	return p.After, nil
}
