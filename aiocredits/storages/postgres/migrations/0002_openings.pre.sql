-- Where the entries of an account may be read from, once older ones have been put away.
CREATE TABLE {schema}.openings (
    account      text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    closed_until timestamptz NOT NULL,
    state        text NOT NULL,
    PRIMARY KEY (account)
);
