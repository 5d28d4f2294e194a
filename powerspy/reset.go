package powerspy

import "context"

// Reset restarts the meter (request R, §3.3.4). Only V1 meters can: for others
// the error is [ErrNotSupported]. Since V1 meters do not answer, nil means no
// more than that the request was sent; what was set before, such as the
// trigger, is lost.
func (c *Client) Reset(ctx context.Context) error {
	const op = "reset the meter"
	return c.request(ctx, op, func() error {
		if err := c.needs(ctx, V1); err != nil {
			return err
		}
		if err := c.synchronise(ctx); err != nil {
			return err
		}
		// Should a meter answer after all, the client, which is not
		// synchronised now, will not take it for the answer to the next
		// request.
		if err := c.send(ctx, "R"); err != nil {
			return err
		}
		c.stale = false
		return nil
	})
}
