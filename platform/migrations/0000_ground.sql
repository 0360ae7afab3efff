CREATE TABLE "account" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"provider_id" text NOT NULL,
	"user_id" text NOT NULL,
	"access_token" text,
	"refresh_token" text,
	"id_token" text,
	"access_token_expires_at" timestamp (3) with time zone,
	"refresh_token_expires_at" timestamp (3) with time zone,
	"scope" text,
	"password" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "attempt" (
	"id" text PRIMARY KEY NOT NULL,
	"owner" text NOT NULL,
	"lab" text,
	"lesson" text,
	"started_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"verdict" jsonb
);
--> statement-breakpoint
CREATE TABLE "audit" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"by" text NOT NULL,
	"action" text NOT NULL,
	"subject" text NOT NULL,
	"before" jsonb,
	"after" jsonb
);
--> statement-breakpoint
CREATE TABLE "comment" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"submission" text NOT NULL,
	"by" text NOT NULL,
	"text" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "evidence_file" (
	"submission" text NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"content_type" text NOT NULL,
	"digest" text NOT NULL,
	"bytes" bigint NOT NULL,
	CONSTRAINT "evidence_file_submission_name_pk" PRIMARY KEY("submission","name")
);
--> statement-breakpoint
CREATE TABLE "first_run" (
	"id" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"token_hash" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"claimed_by" text,
	"claimed_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "grade_override" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"submission" text NOT NULL,
	"task" text,
	"points" double precision NOT NULL,
	"reason" text NOT NULL,
	"by" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "hint_use" (
	"attempt" text NOT NULL,
	"task" text NOT NULL,
	"number" integer NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "hint_use_attempt_task_number_pk" PRIMARY KEY("attempt","task","number")
);
--> statement-breakpoint
CREATE TABLE "lease" (
	"id" text PRIMARY KEY NOT NULL,
	"attempt" text NOT NULL,
	"state" text NOT NULL,
	"step" text,
	"reason" text,
	"engine" text,
	"nodes" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"host" text NOT NULL,
	"fence" integer NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"active_at" timestamp (3) with time zone NOT NULL,
	"extensions_left" integer NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "lease_attempt_unique" UNIQUE("attempt")
);
--> statement-breakpoint
CREATE TABLE "lesson_progress" (
	"person" text NOT NULL,
	"lesson" text NOT NULL,
	"done" boolean NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "lesson_progress_person_lesson_pk" PRIMARY KEY("person","lesson")
);
--> statement-breakpoint
CREATE TABLE "quiz_answer" (
	"person" text NOT NULL,
	"lesson" text NOT NULL,
	"question" text NOT NULL,
	"choice" integer NOT NULL,
	"is_right" boolean NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "quiz_answer_person_lesson_question_pk" PRIMARY KEY("person","lesson","question")
);
--> statement-breakpoint
CREATE TABLE "sandbox_host" (
	"name" text PRIMARY KEY NOT NULL,
	"fence" integer NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "session" (
	"id" text PRIMARY KEY NOT NULL,
	"token" text NOT NULL,
	"user_id" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"ip_address" text,
	"user_agent" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "session_token_unique" UNIQUE("token")
);
--> statement-breakpoint
CREATE TABLE "submission" (
	"id" text PRIMARY KEY NOT NULL,
	"attempt" text NOT NULL,
	"lab" text NOT NULL,
	"learner" text NOT NULL,
	"handed_in_at" timestamp (3) with time zone NOT NULL,
	"verdict" jsonb NOT NULL,
	"versions" jsonb NOT NULL,
	"engine" text NOT NULL,
	"hints" jsonb NOT NULL,
	"checked_points" double precision NOT NULL,
	"max_points" double precision NOT NULL,
	"points" double precision NOT NULL,
	CONSTRAINT "submission_attempt_unique" UNIQUE("attempt")
);
--> statement-breakpoint
CREATE TABLE "terminal" (
	"id" text PRIMARY KEY NOT NULL,
	"lease" text NOT NULL,
	"title" text NOT NULL,
	"node" text,
	"opened_at" timestamp (3) with time zone NOT NULL,
	"closed_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "ticket" (
	"hash" text PRIMARY KEY NOT NULL,
	"person" text NOT NULL,
	"attempt" text NOT NULL,
	"terminal" text NOT NULL,
	"mode" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"used_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "user" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"email" text NOT NULL,
	"email_verified" boolean DEFAULT false NOT NULL,
	"image" text,
	"role" text DEFAULT 'learner' NOT NULL,
	"is_anonymous" boolean DEFAULT false NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "user_email_unique" UNIQUE("email")
);
--> statement-breakpoint
CREATE TABLE "verdict_history" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"attempt" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"points" double precision NOT NULL,
	"verdict" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "verification" (
	"id" text PRIMARY KEY NOT NULL,
	"identifier" text NOT NULL,
	"value" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "account" ADD CONSTRAINT "account_user_id_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "attempt" ADD CONSTRAINT "attempt_owner_user_id_fk" FOREIGN KEY ("owner") REFERENCES "public"."user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "comment" ADD CONSTRAINT "comment_submission_submission_id_fk" FOREIGN KEY ("submission") REFERENCES "public"."submission"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "evidence_file" ADD CONSTRAINT "evidence_file_submission_submission_id_fk" FOREIGN KEY ("submission") REFERENCES "public"."submission"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "first_run" ADD CONSTRAINT "first_run_claimed_by_user_id_fk" FOREIGN KEY ("claimed_by") REFERENCES "public"."user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "grade_override" ADD CONSTRAINT "grade_override_submission_submission_id_fk" FOREIGN KEY ("submission") REFERENCES "public"."submission"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hint_use" ADD CONSTRAINT "hint_use_attempt_attempt_id_fk" FOREIGN KEY ("attempt") REFERENCES "public"."attempt"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "lease" ADD CONSTRAINT "lease_attempt_attempt_id_fk" FOREIGN KEY ("attempt") REFERENCES "public"."attempt"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "lesson_progress" ADD CONSTRAINT "lesson_progress_person_user_id_fk" FOREIGN KEY ("person") REFERENCES "public"."user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "quiz_answer" ADD CONSTRAINT "quiz_answer_person_user_id_fk" FOREIGN KEY ("person") REFERENCES "public"."user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "session" ADD CONSTRAINT "session_user_id_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "submission" ADD CONSTRAINT "submission_attempt_attempt_id_fk" FOREIGN KEY ("attempt") REFERENCES "public"."attempt"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "submission" ADD CONSTRAINT "submission_learner_user_id_fk" FOREIGN KEY ("learner") REFERENCES "public"."user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "terminal" ADD CONSTRAINT "terminal_lease_lease_id_fk" FOREIGN KEY ("lease") REFERENCES "public"."lease"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "ticket" ADD CONSTRAINT "ticket_person_user_id_fk" FOREIGN KEY ("person") REFERENCES "public"."user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "ticket" ADD CONSTRAINT "ticket_attempt_attempt_id_fk" FOREIGN KEY ("attempt") REFERENCES "public"."attempt"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "verdict_history" ADD CONSTRAINT "verdict_history_attempt_attempt_id_fk" FOREIGN KEY ("attempt") REFERENCES "public"."attempt"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "account_user" ON "account" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "attempt_owner" ON "attempt" USING btree ("owner");--> statement-breakpoint
CREATE UNIQUE INDEX "attempt_open" ON "attempt" USING btree ("owner",coalesce("lab", ''),coalesce("lesson", '')) WHERE "attempt"."ended_at" is null;--> statement-breakpoint
CREATE INDEX "comment_submission" ON "comment" USING btree ("submission");--> statement-breakpoint
CREATE INDEX "grade_override_submission" ON "grade_override" USING btree ("submission");--> statement-breakpoint
CREATE INDEX "lease_host_state" ON "lease" USING btree ("host","state");--> statement-breakpoint
CREATE INDEX "session_user" ON "session" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "submission_lab" ON "submission" USING btree ("lab","handed_in_at");--> statement-breakpoint
CREATE INDEX "submission_learner" ON "submission" USING btree ("learner","lab");--> statement-breakpoint
CREATE INDEX "terminal_lease" ON "terminal" USING btree ("lease");--> statement-breakpoint
CREATE INDEX "ticket_expires" ON "ticket" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "verdict_history_attempt" ON "verdict_history" USING btree ("attempt","id");--> statement-breakpoint
CREATE INDEX "verification_identifier" ON "verification" USING btree ("identifier");