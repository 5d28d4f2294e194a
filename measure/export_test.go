package measure

// HubSize returns how many items a hub remembers.
func HubSize(h *Hub) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, c := range h.chunks {
		n += len(c.items)
	}
	return n
}
