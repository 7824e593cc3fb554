-- Run once, when the data directory is empty.
CREATE DATABASE lowtide_control;
CREATE DATABASE lowtide_journal;
CREATE DATABASE lowtide_analytics;
