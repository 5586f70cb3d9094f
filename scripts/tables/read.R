# Writes the data sets of R's packages as CSV, in their own order: Rscript read.R LIBRARY FOLDER
arguments <- commandArgs(trailingOnly = TRUE)

data_set <- function(package, name) {
  place <- file.path(arguments[1], package, "data")
  found <- new.env()
  single <- file.path(place, paste0(name, ".rda"))
  if (file.exists(single)) load(single, found) else lazyLoad(file.path(place, "Rdata"), found)
  as.data.frame(get(name, found))
}

tables <- list(
  attrition = data_set("modeldata", "attrition"),
  cells = data_set("modeldata", "cells"),
  concrete = data_set("modeldata", "concrete"),
  mlc_churn = data_set("modeldata", "mlc_churn"),
  sacramento = data_set("modeldata", "Sacramento"),
  diamonds = data_set("ggplot2", "diamonds"),
  diseases = data_set("dslabs", "us_contagious_diseases"),
  income = data_set("kernlab", "income"),
  vehicle = data_set("mlbench", "Vehicle"))
tables$cells$case <- NULL  # its authors' own division into rows to learn from and to test on
for (name in names(tables)) {
  write.csv(tables[[name]], file.path(arguments[2], paste0(name, ".csv")), row.names = FALSE, na = "")
}
