-- Deliveries that wait for others to go with, by their lane; few at any time.
CREATE INDEX deliveries_gathering ON deliveries (lane, id) WHERE state = 'gathering';
