package verdict

// Counts are the requests that ended within one look, and how many of them were bad. Bad never exceeds Requests.
type Counts struct {
	Requests int64 `json:"n"`
	Bad      int64 `json:"x"`
}
