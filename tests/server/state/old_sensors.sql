-- dlj1.aff1e17e50e3dcfa.4efc3dfe2f26f21645086964919044618088f0912bff88e3.abababababababababababababababababababababababababababababababab
-- dlj1.56ae152a75fb487d.65c37910585a2f9bb5b234846ea6f403f1fb8dae48a3acaa.abababababababababababababababababababababababababababababababab
BEGIN TRANSACTION;
CREATE TABLE join_tokens (
	id VARCHAR NOT NULL, 
	digest VARCHAR NOT NULL, 
	cluster VARCHAR NOT NULL, 
	node VARCHAR NOT NULL, 
	made_by VARCHAR NOT NULL, 
	expires DATETIME NOT NULL, 
	used DATETIME, 
	used_key VARCHAR NOT NULL, 
	sensor VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "join_tokens" VALUES('aff1e17e50e3dcfa','0608352a39e296cf29d4fee723aec2998331ebd0d71a7578d5ec501df1c9f6e6','prod','n1','ada','2026-11-24 10:00:00.123456','2026-11-23 10:00:00.123456','k1','31cfb887-df83-48ba-a4ba-eddb8f087cdd');
INSERT INTO "join_tokens" VALUES('56ae152a75fb487d','a071db53d3d4e47e1ddd07311129724226d98553ba39a1fbe2f36143e17d8651','prod','','ada','2026-11-25 10:00:00.123456',NULL,'','');
CREATE TABLE sensor_certificates (
	serial VARCHAR NOT NULL, 
	sensor VARCHAR NOT NULL, 
	expires DATETIME NOT NULL, 
	PRIMARY KEY (serial), 
	FOREIGN KEY(sensor) REFERENCES sensors (id)
);
INSERT INTO "sensor_certificates" VALUES('a1','31cfb887-df83-48ba-a4ba-eddb8f087cdd','2026-12-23 10:00:00.123456');
INSERT INTO "sensor_certificates" VALUES('a2','31cfb887-df83-48ba-a4ba-eddb8f087cdd','2027-01-22 10:00:00.123456');
INSERT INTO "sensor_certificates" VALUES('b1','3a6ac118-4152-4d5e-a7bb-f60a338eb0be','2026-12-23 10:00:00.123456');
INSERT INTO "sensor_certificates" VALUES('c1','92a5db65-db3c-406f-aa5c-9c7e13f8cfd5','2026-12-23 10:00:00.123456');
CREATE TABLE sensors (
	id VARCHAR NOT NULL, 
	cluster VARCHAR NOT NULL, 
	node VARCHAR NOT NULL, 
	enrolled DATETIME NOT NULL, 
	enrolled_by VARCHAR NOT NULL, 
	revoked DATETIME, 
	revoked_for VARCHAR NOT NULL, 
	seen DATETIME, 
	report JSON NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "sensors" VALUES('31cfb887-df83-48ba-a4ba-eddb8f087cdd','prod','n1','2026-11-23 10:00:00.123456','token aff1e17e50e3dcfa',NULL,'','2026-11-23 10:05:00.123456','{"sensor": "31cfb887-df83-48ba-a4ba-eddb8f087cdd", "cluster": "prod", "node": "n1", "version": "0.1.0", "lost": 3}');
INSERT INTO "sensors" VALUES('3a6ac118-4152-4d5e-a7bb-f60a338eb0be','prod','n2','2026-11-23 10:00:00.123456','account system:serviceaccount:driftline:driftline-sensor','2026-11-23 11:00:00.123456','replaced by 92a5db65-db3c-406f-aa5c-9c7e13f8cfd5',NULL,'{}');
INSERT INTO "sensors" VALUES('92a5db65-db3c-406f-aa5c-9c7e13f8cfd5','prod','n2','2026-11-23 11:00:00.123456','account system:serviceaccount:driftline:driftline-sensor','2026-11-23 12:00:00.123456','stolen',NULL,'{}');
CREATE INDEX ix_sensors_cluster ON sensors (cluster);
CREATE INDEX ix_sensor_certificates_sensor ON sensor_certificates (sensor);
COMMIT;
