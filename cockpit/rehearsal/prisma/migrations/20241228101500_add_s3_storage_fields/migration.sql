-- AlterTable
ALTER TABLE "KnowledgeDocument" ADD COLUMN "s3Key" TEXT,
ADD COLUMN "s3Bucket" TEXT,
ADD COLUMN "s3Region" TEXT;

-- AlterTable
ALTER TABLE "CustomerDocument" ADD COLUMN "s3Key" TEXT,
ADD COLUMN "s3Bucket" TEXT,
ADD COLUMN "s3Region" TEXT;

-- CreateIndex
CREATE INDEX "KnowledgeDocument_s3Key_idx" ON "KnowledgeDocument"("s3Key");

-- CreateIndex
CREATE INDEX "CustomerDocument_s3Key_idx" ON "CustomerDocument"("s3Key");
