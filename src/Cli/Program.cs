Console.WriteLine("mlnetbn 0.1.0");
