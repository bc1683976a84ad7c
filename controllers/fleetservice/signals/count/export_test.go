package count

// Remembered is how many pods are remembered.
func (r *Reader) Remembered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pods)
}
